// The reader's microphone and camera, and the small things to be said about SDP.

/** @typedef {"denied" | "absent" | "busy" | "insecure"} Why there is no track */
/** @typedef {"audioinput" | "videoinput" | "audiooutput"} Kind */

const REASONS = /** @type {Record<string, Why>} */ ({ NotAllowedError: "denied", SecurityError: "denied", NotFoundError: "absent", OverconstrainedError: "absent" });

export class NoDevice extends Error {
  /** @param {Why} why */
  constructor(why) {
    super(why);
    this.why = why;
  }
}

/** The device that the reader has chosen in this browser; empty: the system's own choice. @param {Kind} kind */
export const chosen = (kind) => localStorage.getItem(`desk.${kind}`) ?? "";

/** @param {Kind} kind @param {string} id */
export const choose = (kind, id) => (id ? localStorage.setItem(`desk.${kind}`, id) : localStorage.removeItem(`desk.${kind}`));

/** Throws NoDevice: then one only listens. @returns {Promise<MediaStreamTrack>} */
export const openMicrophone = () => openTrack({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...wished("audioinput") } });

/** Throws NoDevice. @returns {Promise<MediaStreamTrack>} */
export const openCamera = () => openTrack({ video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 24, max: 30 },
  ...(chosen("videoinput") ? wished("videoinput") : { facingMode: "user" }) } });

/** Only a wish: where it is not plugged in, another one does. @param {Kind} kind */
const wished = (kind) => (chosen(kind) ? { deviceId: { ideal: chosen(kind) } } : {});

/** @param {MediaStreamConstraints} wish */
async function openTrack(wish) {
  if (!navigator.mediaDevices) throw new NoDevice("insecure");
  try {
    return (await navigator.mediaDevices.getUserMedia(wish)).getTracks()[0];
  } catch (error) {
    if (error instanceof DOMException) throw new NoDevice(REASONS[error.name] ?? "busy"); // NotReadableError, AbortError
    throw error;
  }
}

/** The kiosk encodes H.264 once for everybody. @param {RTCRtpTransceiver} transceiver */
export function preferH264(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs;
  if (!codecs || !transceiver.setCodecPreferences) return;
  const rank = (/** @type {{mimeType: string, sdpFmtpLine?: string}} */ codec) => {
    if (codec.mimeType.toLowerCase() !== "video/h264") return 2;
    return /packetization-mode=1/.test(codec.sdpFmtpLine ?? "") && /profile-level-id=42/i.test(codec.sdpFmtpLine ?? "") ? 0 : 1;
  };
  transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b)));
}

/** No waiting in the jitter buffer: what staff see is drawn upon, so it must be now. @param {RTCRtpReceiver} receiver */
export function withoutDelay(receiver) {
  const any = /** @type {any} */ (receiver);
  if ("jitterBufferTarget" in receiver) any.jitterBufferTarget = 0;
  else if ("playoutDelayHint" in receiver) any.playoutDelayHint = 0;
}

/**
 * Sound and picture in streams of their own: else the browser holds the picture back until the sound's buffer is as long.
 * @param {string} sdp the answer
 */
export function separateStreams(sdp) {
  const [head, ...sections] = sdp.split(/^(?=m=)/m);
  return head + sections.map((section) => {
    const kind = section.slice(2, section.indexOf(" "));
    return section.replace(/^a=msid:\S+/m, `a=msid:${kind}-of-the-kiosk`);
  }).join("");
}

/** @param {RTCPeerConnection} connection @param {number} limitMs host candidates are there at once; the rest is trickled */
export function someCandidates(connection, limitMs) {
  return /** @type {Promise<void>} */ (new Promise((resolve) => {
    const done = () => { if (connection.iceGatheringState === "complete") resolve(); };
    connection.addEventListener("icegatheringstatechange", done);
    setTimeout(resolve, limitMs);
    done();
  }));
}

/** A body for PATCH (RFC 8840). @param {string} sdp our offer @param {RTCIceCandidate} candidate */
export function trickleFragment(sdp, candidate) {
  const line = (/** @type {RegExp} */ pattern) => sdp.match(pattern)?.[0] ?? "";
  const end = "\r\n";
  return [line(/^a=ice-ufrag:.*$/m), line(/^a=ice-pwd:.*$/m), line(/^m=.*$/m), `a=mid:${candidate.sdpMid ?? "0"}`, `a=${candidate.candidate}`]
    .map((text) => text.trim() + end).join("");
}
