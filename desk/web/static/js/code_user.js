// The code user's page while something is still on its way: what has come takes its place. Nothing that is here already is
// touched, so that a recording can be watched meanwhile.
//
// For tests: `#state[data-waiting]`, `.artifact[data-sign]`.

const EVERY_MS = 5000;

async function bringNews() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) return location.reload(); // no longer public, or the time is over: the page says so
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  takeOver("#state", page, (now, then) => now.textContent !== then.textContent);
  const [now, then] = [figures(document), figures(page)];
  if (now.length !== then.length) takeOver("#items", page, () => true);
  else if (!then.length) takeOver("#items", page, (one, other) => one.textContent !== other.textContent); // it says so now, or that nothing will come
  else then.forEach((figure, i) => { if (figure.dataset.sign !== now[i].dataset.sign) now[i].replaceWith(figure); });
}

/** @param {Document} page @returns {HTMLElement[]} */
const figures = (page) => [...page.querySelectorAll("#items .artifact")].map((figure) => /** @type {HTMLElement} */ (figure));

/** @param {string} place @param {Document} page @param {(now: Element, then: Element) => boolean} changed */
function takeOver(place, page, changed) {
  const [now, then] = [document.querySelector(place), page.querySelector(place)];
  if (now && then && changed(now, then)) now.replaceWith(then);
}

const timer = setInterval(async () => {
  await bringNews().catch(() => {}); // no network for a while: the next time
  if (!document.querySelector("#state[data-waiting]")) clearInterval(timer);
}, EVERY_MS);
