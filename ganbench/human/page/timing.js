"use strict";
// Time as the display has it: everything that is shown briefly begins and ends with a frame.

const frame = () => new Promise(requestAnimationFrame);
const recent = []; // milliseconds between frames, the latest ones
const KEPT = 90;

// Waits as near to `ms` as whole frames allow, from the frame that began at `from`; gives the time of the last frame.
async function framesFrom(from, ms) {
  let before = from;
  for (;;) {
    const now = await frame();
    recent.push(now - before);
    if (recent.length > KEPT) recent.shift();
    before = now;
    if (now - from >= ms - frameMs() / 2) return now;
  }
}

// The time between two frames of this display: the median of the latest ones, which single late frames do not move.
function frameMs() {
  if (recent.length < 5) return 1000 / 60;
  const sorted = [...recent].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

// A picture as an element that is decoded and lies on the stage, unseen.
async function decoded(blob, stage, alt) {
  const image = document.createElement("img");
  image.alt = alt;
  image.draggable = false;
  image.src = URL.createObjectURL(blob);
  await image.decode();
  stage.append(image);
  return image;
}

function removed(image) {
  URL.revokeObjectURL(image.src);
  image.remove();
}

// 3, 2, 1, a cross, the picture, the masks. Gives how long the picture was seen, or null where the page was hidden
// before the picture began, and nothing was seen of it.
async function flash({ picture, masks, signal, exposureMs, words, cross }) {
  let at = await frame();
  for (const sign of [3, 2, 1]) {
    if (!words.countdown_ms) break;
    signal.textContent = sign;
    at = await framesFrom(at, words.countdown_ms / 3);
  }
  signal.textContent = "+";
  cross();
  at = await framesFrom(at, words.fixation_ms);
  signal.textContent = "";
  if (document.hidden) return null;
  const began = at;
  picture.classList.add("seen");
  at = await framesFrom(began, exposureMs);
  const shownMs = at - began;
  let last = picture;
  for (const mask of masks) {
    last.classList.remove("seen");
    mask.classList.add("seen");
    last = mask;
    at = await framesFrom(at, words.mask_ms);
  }
  last.classList.remove("seen");
  return { shownMs, frameMs: frameMs() };
}
