// SPDX-License-Identifier: GPL-2.0-only
// A worker that is never busy. It starts and ends the workers that run submissions, for the kernel that started it: the kernel
// waits for a check and can't hear them. The kernel's orders come as messages; what it asks for comes through the service worker.
{
  const live = self.kvmmmuLive;
  const channel = new BroadcastChannel(`${live.prefix}judge`);
  const runs = new Map(); // by the kernel's number
  const MUCH = 1 << 20; // characters
  let id; // of the kernel
  let lockFileURL;
  let spare;

  // A Pyodide that waits for a submission. `pieces` are what it has sent, from number `first` on; `status` is its exit status.
  class Run {
    constructor() {
      Object.assign(this, { state: "starting", pieces: [], first: 0, ends: 0, bytes: 0, status: null, why: "", asked: null, waiting: [] });
      this.worker = new Worker(`${live.here}judge_worker.js`);
      this.worker.onmessage = ({ data }) => this.heard(data);
      this.worker.onerror = (event) => this.end("failed", null, event.message ?? "its script can't be loaded");
      this.worker.postMessage({ lockFileURL });
    }

    heard({ name, text, last, state, status, why }) {
      if (state === "ready") {
        this.state = state;
        for (const request of this.waiting.splice(0)) this.worker.postMessage(request);
      } else if (state) return this.end(state, status, why);
      else {
        this.pieces.push({ name, text, last });
        this.count([{ text, last }], 1);
      }
      this.answer();
    }

    // `ends` counts the pieces that are the last of something for which the judge waits; one may come before the judge asks
    count(pieces, sign) {
      for (const { text, last } of pieces) {
        this.ends += sign * Boolean(last);
        this.bytes += sign * text.length;
      }
    }

    // the worker has ended by itself or can't start
    end(state, status, why) {
      Object.assign(this, { state, status: status ?? null, why: why ?? "" });
      this.worker.terminate();
      this.answer();
    }

    // `seen` pieces have arrived where they are asked for
    ask(question) {
      const gone = question.seen - this.first;
      if (gone > 0) {
        this.count(this.pieces.splice(0, gone), -1);
        this.first = question.seen;
      }
      this.asked = question;
      this.answer();
      setTimeout(() => this.asked === question && this.answer(true), question.wait);
    }

    // answer when there is something to say: a scenario is over, or much has come, or the worker is ready or ended
    answer(now = false) {
      const { asked, state } = this;
      if (!asked || !(now || this.ends || this.bytes > MUCH || state !== asked.state)) return;
      this.asked = null;
      tell(asked, { pieces: this.pieces.map(({ name, text }) => [name, text]), state, status: this.status, why: this.why });
    }

    send(text) {
      if (this.state === "starting") this.waiting.push({ request: text });
      else this.worker.postMessage({ request: text });
    }
  }

  const tell = ({ question }, answer) => channel.postMessage({ question, answer: JSON.stringify(answer) });

  const orders = {
    hello: (order) => ({ id, lockFileURL } = order),
    warm: () => (spare ??= new Run()),
    open: ({ run }) => {
      runs.set(run, spare ?? new Run());
      spare = undefined;
    },
    send: ({ run, text }) => runs.get(run)?.send(text),
    close: ({ run }) => {
      runs.get(run)?.worker.terminate();
      runs.delete(run);
      spare ??= new Run(); // for the next submission
    },
  };

  self.onmessage = ({ data }) => {
    const order = typeof data === "string" ? JSON.parse(data) : data;
    orders[order.do](order);
    if (order.do === "hello") self.postMessage("listening");
  };

  channel.onmessage = ({ data }) => {
    if (data.answer !== undefined || data.id !== id) return;
    const run = runs.get(data.run);
    if (run) run.ask(data);
    else tell(data, { pieces: [], state: data.run ? "ended" : "listening", status: null, why: "" });
  };
}
