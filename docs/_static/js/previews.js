/* A preview of the equation or claim that a link names: after 300 ms of hover or on focus; Escape closes it.
   What it shows stands in the page since the build, in a <template>. Touch goes to the equation itself. */
(function () {
  "use strict";
  var box, timer, from;
  function close() {
    clearTimeout(timer);
    if (box) { box.remove(); from.removeAttribute("aria-describedby"); box = null; }
  }
  function open(link, name) {
    var content = document.getElementById("preview-" + name);
    close();
    if (!content) return;
    box = document.createElement("div");
    box.className = "preview"; box.id = "preview-box"; box.setAttribute("role", "tooltip");
    box.appendChild(content.content.cloneNode(true));
    document.body.appendChild(box);
    var at = link.getBoundingClientRect(), wide = document.documentElement.clientWidth;
    box.style.left = Math.max(8, Math.min(at.left, wide - box.offsetWidth - 8)) + scrollX + "px";
    var above = at.top - box.offsetHeight - 8;
    box.style.top = (above > 0 ? above : at.bottom + 8) + scrollY + "px";
    from = link; link.setAttribute("aria-describedby", box.id);
    box.addEventListener("pointerenter", function () { clearTimeout(timer); });
    box.addEventListener("pointerleave", later(close));
  }
  function later(act) { return function () { clearTimeout(timer); timer = setTimeout(act, 300); }; }
  document.querySelectorAll("article a[data-preview]").forEach(function (link) {
    var show = function () { open(link, link.dataset.preview); };
    link.addEventListener("pointerenter", function (event) { if (event.pointerType === "mouse") later(show)(); });
    link.addEventListener("pointerleave", later(close));
    link.addEventListener("focus", function () { if (link.matches(":focus-visible")) show(); });
    link.addEventListener("blur", close);
  });
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") close(); });
})();
