// The form behind every VIDEO SESSION button: which device, what about, which ticket; created when the reader says so.
//
// For tests: `#new-session-devices input`, #new-session-find, #new-session-told, #new-session-reason, #new-session-ticket, #new-session-create,
// #new-session-error; `[data-new-session="kiosk-id"]` opens the dialog with that device.

import { getJson, postOnce } from "./api.js";
import { byId, el, t } from "./dom.js";
import { ENDED } from "./format.js";

/** @typedef {import("./store.js").Kiosk} Kiosk */

const FEW = 8;
const MOST = 30;
const TYPED_MS = 200;

/** @param {Kiosk} kiosk */
export const nameOf = (kiosk) => kiosk.device?.name || kiosk.id;

/** @param {boolean} online */
export const onlineSign = (online) => el("span", { class: "online", "data-online": String(online) }, online ? t("Online") : t("Offline"));

/** @param {Kiosk} a @param {Kiosk} b */
export const byPresence = (a, b) => Number(b.online) - Number(a.online) || nameOf(a).localeCompare(nameOf(b));

/** Of the dialog, or of the page that has none. */
export class NewSession {
  /** @param {import("./store.js").Store} store */
  constructor(store) {
    this.store = store;
    /** Found by words, where there are more than are shown. @type {Kiosk[] | null} */
    this.found = null;
    this.chosen = "";
    this.typing = 0;
    byId("new-session-form").addEventListener("submit", (/** @type {Event} */ event) => {
      event.preventDefault();
      this.create();
    });
    byId("new-session-form").addEventListener("change", () => this.choose());
    byId("new-session-find").addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = window.setTimeout(() => this.find(byId("new-session-find").value.trim()).catch((error) => this.complain(error)), TYPED_MS);
    });
    store.on("kiosks", () => this.paint());
    store.on("sessions", () => this.paint());
  }

  /** @param {string} wanted a device's id, or its kiosk's; "" leaves it to the reader */
  async begin(wanted) {
    byId("new-session-error").hidden = true;
    byId("new-session-told").hidden = true;
    byId("new-session-find").value = "";
    this.found = null;
    const kiosk = wanted ? await this.wanted(wanted) : undefined;
    if (wanted && !kiosk) this.tell(t("There is no device {device} here. Please choose one.", { device: wanted.slice(0, 80) }));
    else if (kiosk && !kiosk.online) this.tell(t("{device} has no network at the moment. A session can be created as soon as it is back.", { device: nameOf(kiosk) }));
    this.chosen = kiosk?.id ?? (wanted ? "" : this.kiosks().find((one) => one.online)?.id ?? "");
    if (kiosk && !this.store.kiosks.has(kiosk.id)) this.store.takeKiosks([kiosk]);
    if (kiosk) this.found = [kiosk, ...this.kiosks().filter((one) => one.id !== kiosk.id)];
    this.paint();
  }

  /** @param {string} wanted @returns {Promise<Kiosk | undefined>} */
  async wanted(wanted) {
    const known = [...this.store.kiosks.values()].find((kiosk) => kiosk.device?.id === wanted || kiosk.id === wanted);
    if (known) return known;
    const { kiosks } = await getJson(`/api/kiosks?${new URLSearchParams({ device: wanted.slice(0, 100), limit: "2" })}`).catch(() => ({ kiosks: [] }));
    return kiosks[0];
  }

  /** @param {string} words */
  async find(words) {
    this.found = words ? (await getJson(`/api/kiosks?${new URLSearchParams({ q: words, limit: String(MOST) })}`)).kiosks : null;
    this.paint();
  }

  kiosks() {
    const known = (this.found ?? [...this.store.kiosks.values()]).map((kiosk) => this.store.kiosks.get(kiosk.id) ?? kiosk);
    return this.found && !byId("new-session-find").value ? known : known.sort(byPresence);
  }

  paint() {
    const kiosks = this.kiosks().slice(0, MOST);
    const rows = kiosks.map((kiosk) => this.choice(kiosk));
    const nothing = el("p", { class: "muted" }, byId("new-session-find").value ? t("No device fits.") : t("No device is known yet."));
    const focused = document.activeElement instanceof HTMLInputElement && document.activeElement.name === "kiosk" ? document.activeElement.value : "";
    byId("new-session-search").hidden = this.store.kiosks.size <= FEW && !byId("new-session-find").value;
    byId("new-session-devices").replaceChildren(el("legend", { class: "label" }, t("Device")), ...(rows.length ? rows : [nothing]));
    if (focused) byId("new-session-devices").querySelector(`input[value="${CSS.escape(focused)}"]`)?.focus();
    this.choose();
  }

  /** @param {Kiosk} kiosk */
  choice(kiosk) {
    const open = [...this.store.sessions.values()].find((session) => session.kiosk === kiosk.id && !ENDED.includes(session.state) && session.state !== "COMPLETED");
    return el("label", { class: "choice" },
      el("input", { type: "radio", name: "kiosk", value: kiosk.id, checked: kiosk.id === this.chosen && kiosk.online, disabled: !kiosk.online, required: true }),
      el("span", {}, nameOf(kiosk)),
      el("span", { class: "where" }, open && el("span", { class: "pill", "data-state": open.state }, t(open.state)), onlineSign(kiosk.online)));
  }

  choose() {
    const checked = /** @type {HTMLInputElement | null} */ (byId("new-session-devices").querySelector("input:checked"));
    if (checked) this.chosen = checked.value;
    byId("new-session-create").disabled = !checked;
  }

  async create() {
    const value = (/** @type {string} */ id) => byId(id).value.trim();
    const id = value("new-session-ticket");
    const tickets = id ? [{ id, title: value("new-session-ticket-title"), link: value("new-session-ticket-link") }] : [];
    byId("new-session-error").hidden = true;
    byId("new-session-create").disabled = true;
    try {
      const { session } = await postOnce("/api/sessions", { kiosk: this.chosen, reason: value("new-session-reason"), tickets });
      location.href = `/sessions/${encodeURIComponent(session)}`;
    } catch (error) {
      this.complain(error);
      byId("new-session-create").disabled = false;
    }
  }

  /** @param {unknown} error */
  complain(error) {
    byId("new-session-error").textContent = error instanceof Error ? error.message : String(error);
    byId("new-session-error").hidden = false;
  }

  /** @param {string} text */
  tell(text) {
    byId("new-session-told").textContent = text;
    byId("new-session-told").hidden = false;
  }
}

/** The dialog, where the page has one. @param {NewSession} form */
export function openByButtons(form) {
  const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("new-session"));
  if (!dialog) return;
  document.addEventListener("click", (event) => {
    const opener = /** @type {Element} */ (event.target).closest("[data-new-session]");
    if (!(opener instanceof HTMLElement)) return;
    form.begin(opener.dataset.newSession ?? "").then(() => dialog.showModal()).catch((error) => form.complain(error));
  });
  for (const closer of dialog.querySelectorAll("[data-close]")) closer.addEventListener("click", () => dialog.close());
}
