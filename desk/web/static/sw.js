// The service worker: nothing but notifications. Served at /sw.js so that its scope is the whole desk.

const ACCOUNT = "/api/account/notifications";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => event.waitUntil(show(event.data)));

/** What desk/notifications/words.py says; one of the same tag is replaced, and only what is new makes a noise. */
async function show(data) {
  const said = read(data);
  const seen = (await self.clients.matchAll({ type: "window" })).some((page) => page.visibilityState === "visible");
  if (said.silent && seen) { // its reader sees what became of it
    for (const old of await self.registration.getNotifications({ tag: said.tag })) old.close();
    return;
  }
  await self.registration.showNotification(said.title, {
    body: said.text, tag: said.tag, silent: said.silent, renotify: !said.silent && !seen && Boolean(said.tag),
    requireInteraction: !said.silent && said.path.startsWith("/sessions/"), icon: "/static/icon-192.png", data: { path: said.path },
  });
}

/** Whatever comes: browsers want something to be shown. */
function read(data) {
  const plain = { title: "Desk", text: "", tag: "", path: "/", silent: false };
  try {
    const said = data.json();
    for (const name of Object.keys(plain)) if (typeof said[name] === typeof plain[name]) plain[name] = said[name];
  } catch {
    // nothing that we have sent
  }
  return plain;
}

/** The browser has changed its subscription by itself: the desk is told the new one. */
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));

async function renew(event) {
  const options = event.oldSubscription?.options ?? { userVisibleOnly: true, applicationServerKey: (await (await fetch(ACCOUNT)).json()).key };
  const { endpoint, keys } = (event.newSubscription ?? await self.registration.pushManager.subscribe(options)).toJSON();
  const headers = { "Content-Type": "application/json", "X-Desk": "1" };
  await fetch(`${ACCOUNT}/browsers`, { method: "POST", headers, body: JSON.stringify({ endpoint, p256dh: keys.p256dh, auth: keys.auth }) });
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const path = typeof event.notification.data?.path === "string" ? event.notification.data.path : "/";
  event.waitUntil(open(new URL(path, self.location.origin)));
});

/** Focuses the page that shows `url`; else turns a page that is not in a call to it; else opens one. */
async function open(url) {
  if (url.origin !== self.location.origin) return;
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = pages.find((page) => new URL(page.url).pathname === url.pathname);
  if (there) {
    await there.focus();
    return;
  }
  // Pages of single sessions may be in a call: only lists are turned to something else.
  const list = pages.find((page) => ["/", "/devices"].includes(new URL(page.url).pathname));
  if (list) {
    await list.focus();
    await list.navigate(url.href).catch(() => self.clients.openWindow(url.href));
    return;
  }
  await self.clients.openWindow(url.href);
}
