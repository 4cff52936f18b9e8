// MathJax reads this before it starts: prose only, no menu that would fetch more from the web.
window.MathJax = {
  tex: {
    inlineMath: [["$", "$"], ["\\(", "\\)"]],
    displayMath: [["$$", "$$"], ["\\[", "\\]"]],
    processEscapes: true,
  },
  options: {
    enableMenu: false,
    ignoreHtmlClass: "jp-Notebook",
    processHtmlClass: "jp-RenderedMarkdown",
  },
  svg: { fontCache: "global" },
};
