// The service worker: nothing but notifications. Served at /sw.js so that its scope is the whole desk.

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

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
