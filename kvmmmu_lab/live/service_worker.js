// SPDX-License-Identifier: GPL-2.0-only
// Answers without a network what this browser has fetched before, and brings the kernels' questions to their page. JupyterLite's
// own service worker, which the build puts below, does the rest. What a reader has written is in the browser's database, which
// nothing here touches.
{
  const live = self.kvmmmuLive;

  self.addEventListener("activate", (event) => event.waitUntil(live.forgetOld()));

  // a file that never changes (`live.get` would wait for a lock that the page or the kernel's worker has while it asks here)
  const kept = async (request) => {
    const cache = await live.open(request.url);
    const found = await cache.match(request.url);
    if (found) return found;
    const response = await live.fetch(request);
    if (response.ok && response.type !== "opaque") cache.put(request.url, response.clone()).catch(() => undefined);
    return response;
  };

  // a file that changes at the same address: the newest that can be had
  const newest = async (request) => {
    const url = request.url.replace(/[?#].*/, "");
    const cache = await live.open(url);
    try {
      const response = await live.fetch(request);
      if (response.ok && response.type !== "opaque") await cache.put(url, response.clone()).catch(() => undefined);
      return response;
    } catch (error) {
      const older = await cache.match(url, { ignoreSearch: true });
      if (older) return older;
      throw error;
    }
  };

  // The kernel's judge waits for a worker. The question goes to the kernel's host, and its answer back.
  const judge = new BroadcastChannel(`${live.prefix}judge`);
  const questions = new Map();
  judge.onmessage = ({ data }) => questions.get(data.question)?.(data.answer);
  const asked = async (request) => {
    const data = await request.json();
    const question = crypto.randomUUID();
    const answer = await new Promise((resolve) => {
      questions.set(question, resolve);
      judge.postMessage({ ...data, question });
      setTimeout(resolve, data.wait + PATIENCE);
    });
    questions.delete(question);
    return answer === undefined ? new Response("", { status: 504 }) : new Response(answer);
  };
  const PATIENCE = 10000; // ms; a host that is there answers at once, however busy the machine is

  // What a kernel asks its page: about files, or for the reader's input. JupyterLite's own service worker knows an answer only by
  // its page, so two kernels of a page would get each other's. Here a page is asked one question about files at a time. Requests
  // for input don't wait: one is never answered if its kernel is restarted.
  const pages = new BroadcastChannel("/sw-api.v1"); // JupyterLite's name for it
  const turns = new Map(); // page: the answer to the last question about files
  const isInput = (response) => response?.header?.msg_type === "input_reply" || response?.error !== undefined;
  const askPage = async (request) => {
    const question = { ...(await request.json()), pathname: new URL(request.url).pathname };
    if (question.pathname.includes("/api/stdin/")) return answerOf(question, true);
    const before = turns.get(question.browsingContextId);
    const answer = (async () => {
      await before;
      return answerOf(question, false);
    })();
    turns.set(question.browsingContextId, answer);
    return answer;
  };
  const answerOf = (question, input) =>
    new Promise((resolve) => {
      const end = (response) => {
        pages.removeEventListener("message", hear);
        resolve(response);
      };
      const hear = ({ data }) => {
        if (data?.browsingContextId !== question.browsingContextId || !("response" in data)) return;
        if (isInput(data.response) === input) end(new Response(JSON.stringify(data.response)));
      };
      pages.addEventListener("message", hear);
      pages.postMessage(question);
      // a page says nothing where it fails: for the kernel that is an error, and for the others the next turn
      if (!input) setTimeout(() => end(new Response("", { status: 504 })), PAGE_PATIENCE);
    });
  const PAGE_PATIENCE = 60000; // ms

  self.addEventListener("fetch", (event) => {
    const { request } = event;
    const { url } = request;
    const answer = url === `${live.root}api/kvmmmu-judge` ? asked : /\/api\/(drive|stdin\/)/.test(url) ? askPage : undefined;
    if (answer) {
      event.stopImmediatePropagation();
      event.respondWith(answer(request));
      return;
    }
    const forKernel = url.includes("/api/service-worker-heartbeat");
    if (request.method !== "GET" || forKernel || !(url.startsWith(live.root) || live.isFixed(url))) {
      if (!forKernel) event.stopImmediatePropagation(); // nothing for JupyterLite's either: the browser does as usual
      return;
    }
    event.stopImmediatePropagation();
    if (request.cache !== "force-cache") event.respondWith(live.isFixed(url) ? kept(request) : newest(request));
  });
}
