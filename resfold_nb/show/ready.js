// py3Dmol waits for this promise. Without WebGL it waits for ever and the still picture stays,
// where it would otherwise put an empty box and an error in the console.
globalThis.__resfold_webgl ??= Boolean(
  (globalThis.OffscreenCanvas ? new OffscreenCanvas(1, 1) : document.createElement("canvas"))
    .getContext("webgl2"));
globalThis.$3Dmolpromise = globalThis.__resfold_webgl ? Promise.resolve() : new Promise(() => {});
