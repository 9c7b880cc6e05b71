// The sign-in page: name and password, then the code of the second factor where one is set up.
//
// For tests: #name, #password, #code, #go, #problem.

import { ApiError, postJson } from "./api.js";
import { byId } from "./dom.js";
import { showProblem } from "./forms.js";

const form = byId("sign-in");

form.addEventListener("submit", (/** @type {Event} */ event) => {
  event.preventDefault();
  signIn().catch((error) => showProblem("problem", error));
});

async function signIn() {
  const [name, password, code] = ["name", "password", "code"].map((id) => byId(id).value);
  byId("problem").hidden = true;
  byId("go").disabled = true;
  try {
    await postJson("/api/sign-in", { name, password, code });
    location.replace(form.dataset.to);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "code_needed") throw error;
    byId("code-field").hidden = false;
    byId("code").required = true;
    byId("code").focus();
  } finally {
    byId("go").disabled = false;
  }
}
