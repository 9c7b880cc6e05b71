/** The kiosk's front: paints what its display shows, and hands on presses and touches. See panel_visitor.py. */

const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("display"));
const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
const lamp = document.getElementById("lamp");
const lens = document.getElementById("lens");
const level = /** @type {HTMLMeterElement} */ (document.getElementById("level"));
const bars = [...document.querySelectorAll("#bars i")];
const away = document.getElementById("away");
const plugged = /** @type {HTMLInputElement} */ (document.getElementById("plugged"));
const keys = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll("[data-button]")]);

const QUIET_DBFS = -60;
const RETRY_MS = 1000;

/** @type {WebSocket | null} */
let socket = null;

/** @param {object} message one of panel_visitor.py's, told by its "type" */
function say(message) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function connect() {
  socket = new WebSocket(`ws://${location.host}/socket`);
  socket.binaryType = "blob";
  socket.onopen = () => {
    away.hidden = true;
    tellView();
  };
  socket.onmessage = ({ data }) => (typeof data === "string" ? showState(JSON.parse(data)) : paint(data));
  socket.onclose = () => {
    away.hidden = false;
    letGo();
    setTimeout(connect, RETRY_MS);
  };
}

/** @param {Blob} jpeg */
async function paint(jpeg) {
  try {
    const picture = await createImageBitmap(jpeg);
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
    }
    context.drawImage(picture, 0, 0);
    picture.close();
  } finally {
    say({ type: "ack" });
  }
}

function showState(state) {
  document.documentElement.style.setProperty("--ratio", String(state.size[0] / state.size[1]));
  lamp.classList.toggle("on", state.lamp);
  lens.classList.toggle("live", state.camera_open && state.camera_plugged);
  lens.classList.toggle("unplugged", !state.camera_plugged);
  plugged.checked = state.camera_plugged;
  level.value = state.speaker_dbfs;
  const lit = Math.ceil(((state.speaker_dbfs - QUIET_DBFS) / -QUIET_DBFS) * bars.length);
  bars.forEach((bar, i) => bar.classList.toggle("on", i < lit));
  for (const key of keys) key.hidden = !state.buttons.includes(key.dataset.button);
}

function tellView() {
  say({ type: "view", width: Math.max(16, Math.round(canvas.clientWidth * devicePixelRatio)) });
}

// --- buttons: held as long as the finger, or the key, holds them -----------------------------------------------------

/** No finger is quicker than this, and the kiosk takes shorter contacts for sparks; a tap or a script may be. */
const SHORTEST_MS = 60;

/** @type {Map<HTMLButtonElement, number>} when each held button went down */
const held = new Map();

/** @param {HTMLButtonElement} key @param {boolean} down */
function press(key, down) {
  if (held.has(key) === down) return;
  if (down) {
    held.set(key, performance.now());
    move(key, true);
    return;
  }
  const early = held.get(key) + SHORTEST_MS - performance.now();
  held.delete(key);
  if (early > 0) setTimeout(() => held.has(key) || move(key, false), early);
  else move(key, false);
}

function move(key, down) {
  key.classList.toggle("pressed", down);
  say({ type: "button", name: key.dataset.button, down });
}

function letGo() {
  for (const key of keys) press(key, false);
}

for (const key of keys) {
  key.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    key.setPointerCapture(event.pointerId);
    press(key, true);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) {
    key.addEventListener(end, () => press(key, false));
  }
  key.addEventListener("contextmenu", (event) => event.preventDefault());
}

/** The button that a keyboard event means: its own letter, or space and enter where it has the focus. */
function keyOf(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return undefined;
  const letter = keys.find((key) => key.dataset.key === event.key.toLowerCase() && !key.hidden);
  const focused = keys.find((key) => key === document.activeElement);
  return letter ?? ([" ", "Enter"].includes(event.key) ? focused : undefined);
}

addEventListener("keydown", (event) => {
  const key = keyOf(event);
  if (!key) return;
  event.preventDefault();
  if (!event.repeat) press(key, true);
});
addEventListener("keyup", (event) => {
  const key = keyOf(event);
  if (key) press(key, false);
});
addEventListener("blur", letGo);

// --- touch: each pointer is a finger; moves are told once a painted frame --------------------------------------------

/** @type {Map<number, number>} */
const fingers = new Map();
/** @type {Map<number, object>} */
const moved = new Map();

/** @param {PointerEvent} event @param {"down" | "move" | "up"} phase */
function touch(event, phase) {
  const place = canvas.getBoundingClientRect();
  const share = (value) => Math.min(1, Math.max(0, value));
  return {
    type: "touch",
    phase,
    x: share((event.clientX - place.left) / place.width),
    y: share((event.clientY - place.top) / place.height),
    finger: fingers.get(event.pointerId),
  };
}

function tellMoves() {
  for (const message of moved.values()) say(message);
  moved.clear();
}

canvas.addEventListener("pointerdown", (event) => {
  const free = [...Array(10).keys()].find((i) => ![...fingers.values()].includes(i));
  if (event.button !== 0 || free === undefined) return;
  canvas.setPointerCapture(event.pointerId);
  fingers.set(event.pointerId, free);
  say(touch(event, "down"));
});
canvas.addEventListener("pointermove", (event) => {
  if (!fingers.has(event.pointerId)) return;
  if (!moved.size) requestAnimationFrame(tellMoves);
  moved.set(event.pointerId, touch(event, "move"));
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, (event) => {
    if (!fingers.has(event.pointerId)) return;
    tellMoves();
    say(touch(event, "up"));
    fingers.delete(event.pointerId);
  });
}
canvas.addEventListener("contextmenu", (event) => event.preventDefault());

// --- the rest --------------------------------------------------------------------------------------------------------

plugged.addEventListener("change", () => say({ type: "camera", plugged: plugged.checked }));
document.getElementById("luck").addEventListener("submit", (event) => event.preventDefault());
new ResizeObserver(tellView).observe(canvas);
connect();
