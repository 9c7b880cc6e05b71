// Behind a link that is good once: sets a password; for the first administrator makes the account.
//
// For tests: #full-name, #id, #email, #password, #again, #go, #problem.

import { postJson } from "./api.js";
import { byId, t } from "./dom.js";
import { onSubmit, shortName } from "./forms.js";

const value = (/** @type {string} */ id) => document.getElementById(id) ? byId(id).value.trim() : undefined;

onSubmit("welcome", "problem", async () => {
  const password = byId("password").value;
  if (password !== byId("again").value) throw new Error(t("The two passwords are not the same."));
  const body = { password, id: value("id"), name: value("full-name"), email: value("email") };
  const { signed_in: signedIn } = await postJson(`/api${location.pathname}`, body);
  location.replace(signedIn ? "/" : "/sign-in");
});

const name = document.getElementById("full-name");
name?.addEventListener("change", () => {
  if (!byId("id").value) byId("id").value = shortName(byId("full-name").value);
});
