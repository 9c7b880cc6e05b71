// What every player does over HTTP, whatever its WebRTC is (draft-ietf-wish-whep): offer, answer, leave.
// Its own words, not the desk's page's: a second reading of the specification.

"use strict";

const [url, token] = process.argv.slice(2);
const bearer = { Authorization: `Bearer ${token}` };
let place = "";

/** @param {string} sdp our offer; resolves to the answer */
async function play(sdp) {
  const headers = { ...bearer, "Content-Type": "application/sdp", Accept: "application/sdp" };
  const answer = await fetch(url, { method: "POST", headers, body: sdp });
  const text = await answer.text();
  if (answer.status !== 201) throw new Error(`${answer.status}: ${text}`);
  place = new URL(answer.headers.get("location"), url).href;
  tell({ answered: true, etag: answer.headers.get("etag") });
  return text;
}

async function leave() {
  const answer = await fetch(place, { method: "DELETE", headers: bearer });
  tell({ left: answer.status });
}

/** One JSON object a line, for the test. */
function tell(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

/** Leaves as soon as the test says so on standard input, or after 90 s. */
function untilTold(close) {
  const end = async () => {
    await leave().catch((error) => tell({ error: String(error) }));
    await close();
    process.exit(0);
  };
  process.stdin.once("data", end);
  setTimeout(end, 90_000).unref();
}

process.on("unhandledRejection", (error) => {
  tell({ error: String(error) });
  process.exit(1);
});

module.exports = { play, tell, untilTold };
