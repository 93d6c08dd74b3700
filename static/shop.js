// Counts the time to pay down. Without this the page still says until when to pay.
"use strict";

for (const clock of document.querySelectorAll("[data-seconds-left]")) {
  // Seconds as the server counted them, run on by a clock that nobody can set.
  const deadline = performance.now() + clock.dataset.secondsLeft * 1000;
  const announcer = document.getElementById(clock.dataset.announcer);
  const announceAt = [5, 1]; // minutes; each second would be noise to a screen reader
  let shown = null;

  const tick = () => {
    const minutes = Math.max(0, Math.ceil((deadline - performance.now()) / 60000));
    if (minutes !== shown) {
      const words = minutes === 1 ? clock.dataset.one : clock.dataset.many;
      clock.textContent = words.replace("%s", minutes);
      if (shown !== null && announceAt.includes(minutes)) {
        announcer.textContent = clock.textContent;
      }
      shown = minutes;
    }
  };
  tick();
  setInterval(tick, 1000);
}

// Shows what can be done only later, at its time.
for (const form of document.querySelectorAll("[data-shown-after]")) {
  setTimeout(() => { form.hidden = false; }, form.dataset.shownAfter * 1000);
}
