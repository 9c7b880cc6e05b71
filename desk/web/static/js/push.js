// Web Push of this browser: whether it can, whether it is on, on and off. The desk tells it also when no page is open.

import { postJson, send } from "./api.js";

const PATH = "/api/account/notifications";

/** iPhones can only where the page is on their home screen; plain http can nowhere but on this very machine. */
export const canPush = () => "PushManager" in window && "Notification" in window && "serviceWorker" in navigator && isSecureContext;

/** @returns {Promise<PushSubscription | null>} */
async function present() {
  const registration = await navigator.serviceWorker.getRegistration("/");
  return (await registration?.pushManager.getSubscription()) ?? null;
}

/** As the desk knows this browser (desk/notifications/channels.py). @returns {Promise<string>} empty where it has not subscribed */
export async function ownId() {
  const subscription = canPush() ? await present() : null;
  if (!subscription) return "";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(subscription.endpoint));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, 40);
}

/** Asks the reader; must be called from a click. @param {string} key of the desk @returns {Promise<boolean>} whether it is on now */
export async function switchOn(key) {
  if ((await Notification.requestPermission()) !== "granted") return false;
  const registration = await navigator.serviceWorker.register("/sw.js");
  await navigator.serviceWorker.ready;
  const before = await present();
  if (before && !isOf(before, key)) await before.unsubscribe();
  const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  await postJson(`${PATH}/browsers`, plain(subscription));
  return true;
}

/** Also at signing out: who signs in here next is somebody else. */
export async function switchOff() {
  const id = await ownId();
  if (!id) return;
  await send("DELETE", `${PATH}/browsers/${id}`).catch(() => {}); // it may be gone there, or somebody else's
  await (await present())?.unsubscribe();
}

/** A subscription for another key (the desk has a new secret) reaches nobody: it is made anew. @param {string} key */
export async function keepUp(key) {
  const subscription = canPush() ? await present() : null;
  if (subscription && !isOf(subscription, key) && Notification.permission === "granted") await switchOn(key);
}

/** @param {PushSubscription} subscription @param {string} key */
function isOf(subscription, key) {
  const own = subscription.options.applicationServerKey;
  return Boolean(own) && btoa(String.fromCharCode(...new Uint8Array(/** @type {ArrayBuffer} */ (own)))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "") === key;
}

/** @param {PushSubscription} subscription */
function plain(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  return { endpoint, p256dh: keys?.p256dh, auth: keys?.auth };
}
