/* A page that is laid out piece by piece is laid out whole when the reader goes far at once: by a link within it, the
   end key, the scroll bar, a word that is searched for. What has been jumped over has a height that was guessed; on the
   way back it would get its own, and move what is being read. What has the focus, or is in the middle of the window,
   stays where it is. A page that is laid out so begins at its top: to ask where it stands would be to lay it out. */
(function () {
  "use strict";
  var root = document.documentElement, last = 0;
  function place(element) { return element.getBoundingClientRect().top; }
  function look() {
    var far = Math.abs(scrollY - last) > 2 * innerHeight;
    last = scrollY;
    if (!far) return;
    removeEventListener("scroll", look);
    var focus = document.activeElement, held = focus && focus.matches("article *") && place(focus) >= 0 && place(focus) < innerHeight;
    var seen = held ? focus : document.elementFromPoint(innerWidth / 2, innerHeight / 2), before = seen && place(seen);
    root.classList.remove("piecewise");
    if (seen) scrollBy(0, place(seen) - before);
  }
  if (root.classList.contains("piecewise")) addEventListener("scroll", look, { passive: true });
})();
