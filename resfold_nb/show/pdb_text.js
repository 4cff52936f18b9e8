// Trajectories as PDB text, made in the browser, so that it works in an exported page, too.

const CHAIN_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

function pdbNumber(value) {
  const text = value.toFixed(3);
  if (text.length > 8) {
    throw new Error(`A PDB file cannot hold the coordinate ${text} Å: it takes 8 characters.`);
  }
  return text.padStart(8);
}

function pdbModel(points, chain, residues, first) {
  const order = [...new Set(chain)], lines = [];
  if (order.length > CHAIN_LETTERS.length) {
    throw new Error(`A PDB file holds ${CHAIN_LETTERS.length} chains, not ${order.length}.`);
  }
  let serial = 0;
  chain.forEach((c, i) => {
    const letter = CHAIN_LETTERS[order.indexOf(c)];
    const place = `${(residues[i] ?? "UNK").padStart(3)} ${letter}${String(i + 1).padStart(4)}`;
    const at = [0, 1, 2].map((k) => pdbNumber(points[first + 3 * i + k])).join("");
    lines.push(`ATOM  ${String(++serial).padStart(5)}  CA  ${place}    ${at}  1.00  0.00` +
      "           C  ");
    if (chain[i + 1] !== c) lines.push(`TER   ${String(++serial).padStart(5)}      ${place}`);
  });
  return lines;
}

function pdbText(points, chain, residues, frames) {
  const lines = ["REMARK   1 CENTROIDS OF RESIDUES, WRITTEN AS IF THEY WERE CA ATOMS"];
  frames.forEach((frame, k) => {
    lines.push(`MODEL     ${String(k + 1).padStart(4)}`,
      ...pdbModel(points, chain, residues, 3 * chain.length * frame), "ENDMDL");
  });
  return [...lines, "END", ""].join("\n");
}

function download(text, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "chemical/x-pdb" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
