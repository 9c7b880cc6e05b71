// The reader's microphone and camera, and the small things to be said about SDP.

/** Opens the microphone; null where it is refused or missing: then one only listens. @returns {Promise<MediaStreamTrack | null>} */
export async function openMicrophone() {
  return firstTrack({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
}

/** @returns {Promise<MediaStreamTrack | null>} */
export async function openCamera() {
  return firstTrack({ video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 24, max: 30 }, facingMode: "user" } });
}

/** @param {MediaStreamConstraints} wish */
async function firstTrack(wish) {
  if (!navigator.mediaDevices) return null; // not a secure context
  try {
    return (await navigator.mediaDevices.getUserMedia(wish)).getTracks()[0] ?? null;
  } catch (error) {
    if (error instanceof DOMException) return null; // refused, missing, or taken by another program
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
