// SPDX-License-Identifier: GPL-2.0-only
// Says in words, at the bottom of the page, what is being loaded; fetches early what the kernel will ask for, and afterwards
// what the next visit needs without a network.
{
  const live = self.kvmmmuLive;
  const { settings } = live;
  const REST_MS = 5000; // a lesson's first pictures come before what is fetched for later
  const LEFT = 100000; // bytes; when no more is missing, the browser compiles Python, which takes seconds
  const STARTING = "Python is starting …";
  const AT_ONCE = 2; // JupyterLab's own files come at the same time, and they come first

  const box = document.createElement("p");
  box.id = "kvmmmu-progress";
  box.setAttribute("role", "status");
  box.style.cssText =
    "position:fixed;left:50%;bottom:2rem;transform:translateX(-50%);z-index:10000;margin:0;padding:.6rem 1rem;" +
    "max-width:90vw;border-radius:6px;background:#1f2933;color:#fff;font:15px/1.4 system-ui,sans-serif;box-shadow:0 2px 8px #0006";
  const say = (words) => {
    box.hidden = !words;
    if (box.textContent !== words) box.textContent = words;
    if (!box.isConnected) (document.body ?? document.documentElement).append(box); // this script is in the page's head
  };

  // how much has come, by file; `Infinity`: all of it, from this browser
  const sizes = new Map(Object.entries(settings.sizes).map(([path, size]) => [new URL(path, live.root).href, size]));
  const come = new Map();
  const total = [...sizes.values()].reduce((sum, size) => sum + size, settings.unknown);
  let stage = "loading";
  const megabytes = (bytes) => (bytes / 1e6).toFixed(0);
  const show = () => {
    if (stage === "loading") {
      const loaded = [...come].reduce((sum, [url, bytes]) => sum + Math.min(bytes, sizes.get(url) ?? (bytes === Infinity ? 0 : bytes)), 0);
      if (total - loaded < LEFT) say(STARTING);
      else say(`Loading Python and the course: ${megabytes(loaded)} of ${megabytes(total)} MB`);
    } else if (stage === "starting") say(STARTING);
    else if (stage === "ready") say("");
  };
  let waiting = false;
  const showSoon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => ((waiting = false), show()), 150);
  };
  const count = (url) => (bytes) => {
    come.set(url, Math.max(bytes, come.get(url) ?? 0));
    showSoon();
  };

  const failed = (text) => {
    if (stage === "failed") return; // the first reason is the cause of the others
    stage = "failed";
    say(text);
  };

  live.channel.addEventListener("message", ({ data }) => {
    if (data.kind === "bytes") count(data.url)(data.bytes);
    else if (data.kind === "error") failed(`${data.text} Reload the page to try again.`);
    else if (data.kind === "starting" || data.kind === "ready") {
      if (stage !== "failed") stage = data.kind;
      show();
      if (data.kind === "ready") setTimeout(keepTheRest, REST_MS);
    }
  });

  const each = async (urls, work) => {
    const queue = [...urls];
    const one = async () => {
      for (let url = queue.shift(); url; url = queue.shift()) await work(url);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  };

  // What can't be fetched here, the kernel's worker asks for again, and says why it can't be had.
  const fetchEarly = () => each(sizes.keys(), (url) => live.get(url, { priority: "low" }, count(url)).catch(() => undefined));

  // The files of this page came before there was a service worker, and the other lessons have not been asked for yet.
  let kept = false;
  const keepTheRest = async () => {
    if (kept || !self.caches) return;
    kept = true;
    await live.forgetOld(); // again: the service worker of the earlier build may have had an answer to finish
    const loaded = performance.getEntriesByType("resource").map((one) => one.name.replace(/#.*/, ""));
    const wanted = [location.href.replace(/[?#].*/, ""), ...loaded, ...settings.rest.map((path) => new URL(path, live.root).href)];
    const ours = new Set(wanted.filter((url) => url.startsWith(live.root) || live.isFixed(url)));
    await each(ours, async (url) => {
      if (live.isFixed(url)) return live.get(url, { priority: "low" }).catch(() => undefined);
      const cache = await live.open(url);
      if (!(await cache.match(url))) await cache.add(url).catch(() => undefined);
    });
    document.documentElement.dataset.kvmmmuKept = "all";
  };

  // JupyterLite notes for which version its service worker was registered. Without a note it removes all of this host's.
  try {
    localStorage.setItem(`${live.root}service-worker.js-version`, settings.appVersion);
  } catch {
    // no storage: then no service worker either
  }
  if (self.isSecureContext) {
    show();
    fetchEarly();
  } else failed(`Browsers run this course only from an https: address, or from localhost, and this is ${location.origin}.`);
}
