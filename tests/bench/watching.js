// What the page is like while an answer is written into it. Before everything else in the document; CSP does not hold
// for what the browser's driver adds.
(() => {
  const seen = { frames: [], shift: 0, long: 0, longest: 0, lags: [] };
  let last = 0;
  // How far the text had come at which moment, to know how long ago what is shown had come.
  const came = [];

  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) seen.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      seen.long += 1;
      seen.longest = Math.max(seen.longest, entry.duration);
    }
  }).observe({ type: "longtask" });

  function frame(now) {
    if (last) seen.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
    look(now);
  }

  function look(now) {
    const state = document.querySelector("chat-app")?.page?.store.state;
    const text = state?.live?.state.messages.at(-1)?.content ?? "";
    const shown = [...document.querySelectorAll("assistant-message > markdown-text")].at(-1)?.shown ?? 0;
    if (!text) return;
    if (text.length > (came.at(-1)?.length ?? 0)) came.push({ at: now, length: text.length });
    while (came.length && came[0].length <= shown) came.shift();
    seen.lags.push(came.length ? now - came[0].at : 0);
  }

  window.watched = () => {
    const { frames, lags, ...rest } = seen;
    seen.frames = [];
    seen.lags = [];
    return { frames, lags, ...rest };
  };
  requestAnimationFrame(frame);
})();
