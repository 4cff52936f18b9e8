// Runs inside a structure's frame: the 3D view takes the place of the still picture.
{
  const frame = document.currentScript.closest(".resfold-structure");
  $3Dmolpromise.then(() => {
    frame.querySelector(".resfold-still").hidden = true;
    frame.querySelector(".resfold-3d").style.height = "auto";
  });
}
