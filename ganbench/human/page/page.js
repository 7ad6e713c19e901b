// The screens, one after the other. The server says what comes next; nothing here knows an answer before it is given.

const at = (id) => document.getElementById(id);
const [, place, secret] = location.pathname.split("/");
const kept = `ganbench-human-${secret}`;
let token = place === "r" ? secret : remembered();
let words = null;
let choose = null; // takes the answer of the present picture
const masksHere = new Map();

// Who comes by the shared link once more goes on in the same place, where the browser may keep anything at all.
function remembered(mine) {
  try {
    if (mine) localStorage.setItem(kept, mine);
    return localStorage.getItem(kept);
  } catch {
    return null;
  }
}

// A token of one's own: 192 random bits as 32 letters.
function drawn() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// A request, again and again until the server is there; what it refuses is thrown.
async function ask(path, { body, shared = false, picture = false } = {}) {
  const headers = { Authorization: `Bearer ${shared ? secret : token}` };
  if (shared) headers["X-Shared"] = "1";
  if (body) headers["Content-Type"] = "application/json";
  for (let wait = 500; ; wait = Math.min(2 * wait, 8000)) {
    try {
      const response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
      if (response.status !== 429 && response.status < 500) {
        const found = await (picture && response.ok ? response.blob() : response.json());
        trouble("");
        if (!response.ok) throw new Refusal(response.status, found.error);
        return found;
      }
      if (response.status !== 429) trouble("The server cannot answer now. Trying again; what you have answered is kept.");
    } catch (problem) {
      if (!(problem instanceof TypeError)) throw problem; // of fetch: nobody there, or gone in the middle of a reply
      trouble("The connection is lost. Trying again; what you have answered is kept.");
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

function trouble(text) {
  at("trouble").textContent = text;
  at("trouble").hidden = !text;
}

// A screen of text; gives when its button is pressed, where it has one.
function read(heading, paragraphs, button) {
  at("trial").hidden = true;
  at("text").hidden = false;
  at("heading").textContent = heading;
  at("paragraphs").replaceChildren(...paragraphs.map(paragraph));
  at("go").hidden = !button;
  at("go").textContent = button || "";
  at("heading").focus();
  scrollTo(0, 0);
  return pressed("go");
}

// When a button is pressed, which it can be once.
function pressed(name) {
  const button = at(name);
  button.disabled = false;
  return new Promise((done) => {
    button.onclick = () => {
      button.disabled = true;
      done();
    };
  });
}

// A paragraph, a list where it is an array; a leading "~" makes a hint, "^" one for those with a keyboard.
function paragraph(text) {
  if (Array.isArray(text)) {
    const list = document.createElement("ul");
    list.append(...text.map((each) => Object.assign(document.createElement("li"), { textContent: each })));
    return list;
  }
  const made = document.createElement("p");
  if (text.startsWith("~") || text.startsWith("^")) made.className = text.startsWith("^") ? "hint keys" : "hint";
  made.textContent = text.replace(/^[~^]/, "");
  return made;
}

function progress(state) {
  const names = { tutorial: "Practice", qualification: "Qualification", trial: "Picture" };
  const there = state.progress;
  at("way").hidden = !there;
  if (!there) return;
  at("progress").max = there.total;
  at("progress").value = there.done;
  at("progress-text").textContent = `${names[state.phase]} ${Math.min(there.done + 1, there.total)} of ${there.total}`;
}

const timed = (state) => state.exposure_ms !== null && state.exposure_ms !== undefined;

// What is said before the first picture of a phase, or where a rater comes back to it.
async function introduce(state) {
  const back = state.progress.done > 0 ? ["You are back where you were."] : [];
  const screens = {
    tutorial: ["How it works", [...words.how, "First some practice, with the solutions told."], "Start the practice"],
    qualification: ["Qualification", words.qualify, "Start the qualification"],
    trial: ["The pictures", words.trials, "Start"],
  };
  const [heading, paragraphs, button] = screens[state.phase];
  await read(heading, [...back, ...paragraphs], back.length ? "Go on" : button);
}

async function loadMasks(state) {
  for (const address of new Set(state.masks)) {
    if (!masksHere.has(address)) masksHere.set(address, await ask(`/api/picture/${address}`, { picture: true }));
  }
  return Promise.all(state.masks.map((address) => decoded(masksHere.get(address), at("stage"), "")));
}

// One picture, from loading to the answer. Gives what is to be sent, or null where it must be shown again; and what
// takes the picture away, or shows it once more beside the solution.
async function show(state) {
  const stage = at("stage");
  at("text").hidden = true;
  at("trial").hidden = false;
  at("next-row").hidden = true;
  at("trial").classList.remove("solved");
  at("trial").classList.toggle("waiting", timed(state));
  allow(false);
  const blob = await ask(`/api/picture/${state.trial}`, { picture: true });
  const masks = timed(state) ? await loadMasks(state) : [];
  const picture = await decoded(blob, stage, timed(state) ? "" : "The picture to judge");
  const shown = {
    answer: null,
    again: () => picture.classList.add("seen"),
    clear: () => [picture, ...masks].forEach(removed),
  };
  let measured = { shownMs: null, frameMs: null };
  if (timed(state)) {
    const cross = () => tell(null); // what was said of the last picture is over
    measured = await flash({ picture, masks, signal: at("signal"), exposureMs: state.exposure_ms, words, cross });
    if (measured === null) return shown;
    at("trial").classList.remove("waiting");
  } else {
    shown.again();
  }
  const from = performance.now();
  const answer = await chosen();
  shown.answer = {
    trial: state.trial,
    answer,
    reaction_ms: performance.now() - from,
    shown_ms: measured.shownMs,
    frame_ms: measured.frameMs,
  };
  return shown;
}

function allow(yes) {
  at("fake").disabled = at("real").disabled = !yes;
}

function chosen() {
  allow(true);
  at("question").focus({ preventScroll: true });
  return new Promise((done) => {
    choose = (answer) => {
      choose = null;
      allow(false);
      done(answer);
    };
  });
}

// Whether an answer was right, where that is told; else nothing.
function tell(correct, answer, picture) {
  const told = at("told");
  told.className = correct === null ? "told" : correct ? "told right" : "told wrong";
  const truth = correct === (answer === "real") ? "real" : "fake";
  told.textContent = correct === null ? "" : `${correct ? "Right" : "Wrong"}: ${picture} ${truth}.`;
}

function nextWanted() {
  at("trial").classList.add("solved");
  at("next-row").hidden = false;
  const wanted = pressed("next");
  at("next").focus();
  return wanted;
}

// Pictures one after the other, until the study is over for this rater.
async function judge(state) {
  let phase = null;
  let block = null;
  while (state.trial) {
    progress(state);
    if (state.phase !== phase) {
      await introduce(state);
      at("told").textContent = "";
    } else if (state.block !== block) {
      const [done, total] = [state.block, state.progress.blocks];
      await read("Time for a break", [`${done} of ${total} parts are done.`, "Rest your eyes, then go on."], "Go on");
      at("told").textContent = "";
    }
    [phase, block] = [state.phase, state.block];
    const shown = await show(state).catch(elsewhere);
    if (!shown) {
      state = await ask("/api/state");
      continue;
    }
    if (shown.answer) state = await send(shown, state);
    else await read("Paused", ["This page was out of sight, so the picture was not shown."], "Go on");
    shown.clear();
  }
  return state;
}

// A picture that is not to be seen any more was answered in another tab: what comes next is asked anew.
function elsewhere(problem) {
  if (problem.status !== 404) throw problem;
  return null;
}

async function send(shown, state) {
  try {
    const { correct, next } = await ask("/api/answer", { body: shown.answer });
    tell(correct, shown.answer.answer, state.phase === "tutorial" ? "this picture is" : "the last picture was");
    if (state.phase === "tutorial") {
      shown.again();
      await nextWanted();
    }
    return next;
  } catch (refusal) {
    if (refusal.status !== 409) throw refusal;
    tell(null);
    at("told").textContent = refusal.message;
    return ask("/api/state");
  }
}

async function main() {
  const fresh = place === "join" && !token;
  words = await ask("/api/words", { shared: fresh });
  document.title = words.title;
  at("name").textContent = words.title;
  at("stage").style.setProperty("--side", `${words.picture_px}px`);
  at("stage").classList.toggle("pixels", !words.smooth);
  let state = fresh ? { phase: "consent" } : await ask("/api/state");
  if (state.phase === "consent") {
    await read("Taking part", [...words.consent, `~It takes about ${words.minutes} minutes.`], "I agree, and take part");
    if (fresh) {
      const mine = drawn(); // by the page: asking again after a reply that was lost takes no second place
      await ask("/api/join", { body: { token: mine }, shared: true });
      token = mine;
      remembered(token);
    }
    state = await ask("/api/consent", { body: {} });
  }
  if (place === "join") history.replaceState(null, "", `/r/${token}`);
  state = await judge(state);
  at("way").hidden = true;
  const last = state.phase === "failed" ? words.failed : words.done;
  await read(last[0], last.slice(1), "");
}

for (const answer of ["fake", "real"]) at(answer).onclick = () => choose && choose(answer);
addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !choose) return;
  const answer = { f: "fake", r: "real", ArrowLeft: "fake", ArrowRight: "real" }[event.key] || { F: "fake", R: "real" }[event.key];
  if (answer) {
    event.preventDefault();
    choose(answer);
  }
});
main().catch((problem) => {
  at("way").hidden = true;
  const known = problem instanceof Refusal;
  read(known ? "This does not work" : "Something went wrong", [known ? problem.message : "Please load the page again. What you have answered is kept."], "");
  if (!known) console.error(problem);
});
