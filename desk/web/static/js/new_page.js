// A new video session on a page of its own, filled in by what led here. Nothing is created before the reader presses the button.
//
// In the address: `device` (its id, or its kiosk's), `ticket`, `ticket_title`, `ticket_link`, `reason`.

import { byId } from "./dom.js";
import { beginPage } from "./page.js";

const store = beginPage();
const given = new URLSearchParams(location.search);
const FIELDS = { reason: "new-session-reason", ticket: "new-session-ticket", ticket_title: "new-session-ticket-title", ticket_link: "new-session-ticket-link" };

for (const [name, id] of Object.entries(FIELDS)) {
  const field = byId(id);
  field.value = (given.get(name) ?? "").slice(0, field.maxLength);
}
byId("new-session-ticket-fields").open = given.has("ticket");
let begun = false;
store.on("kiosks", async () => {
  if (begun) return;
  begun = true;
  await store.form.begin(given.get("device") ?? "");
  byId("new-session-form").setAttribute("aria-busy", "false");
});
