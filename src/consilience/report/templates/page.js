"use strict";
(function () {
  // sortable tables: the headers become buttons; without scripts the table stands in the order of the data
  document.querySelectorAll("table.sortable").forEach(function (table) {
    var body = table.tBodies[0];
    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.textContent = "";
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") === "ascending";
        table.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        var numeric = head.classList.contains("n");
        function key(row) {
          var cell = row.cells[column];
          return numeric ? (cell.dataset.v === "" ? NaN : Number(cell.dataset.v)) : cell.textContent;
        }
        Array.prototype.slice.call(body.rows).map(function (row) { return [key(row), row]; }).sort(function (p, q) {
          if (numeric) {
            if (isNaN(p[0]) || isNaN(q[0])) return isNaN(p[0]) - isNaN(q[0]);
            return down ? q[0] - p[0] : p[0] - q[0];
          }
          var order = p[0].localeCompare(q[0], undefined, { numeric: true });
          return down ? -order : order;
        }).forEach(function (pair) { body.appendChild(pair[1]); });
      });
    });
  });

  // words under the pointer: the <title> of a mark, or the pair of stimuli in an RDM
  var box = document.createElement("div");
  box.id = "float";
  box.hidden = true;
  document.body.appendChild(box);
  document.querySelectorAll("g.tip").forEach(function (mark) {
    var title = mark.querySelector("title");
    if (title) { mark.dataset.tip = title.textContent; title.remove(); }
  });
  document.querySelectorAll("figure[data-ranks]").forEach(function (figure) {
    var packed = figure.dataset.ranks.split(" "), names = JSON.parse(figure.dataset.names);
    var pictures = figure.dataset.pictures ? figure.dataset.pictures.split(" ") : [];
    figure.querySelectorAll("image.rdm").forEach(function (image, k) {
      var ranks = null, n = names.length;
      image.addEventListener("pointermove", function (event) {
        var at = image.getBoundingClientRect();
        var i = Math.floor((event.clientY - at.top) / at.height * n), j = Math.floor((event.clientX - at.left) / at.width * n);
        if (i < 0 || j < 0 || i >= n || j >= n || !packed[k]) return hide();
        ranks = ranks || atob(packed[k]);
        var a = Math.min(i, j), b = Math.max(i, j), rank = a === b ? null : ranks.charCodeAt(a * n - a * (a + 1) / 2 + b - a - 1);
        show(names[i] + " · " + names[j] + "\n" + (rank === null ? "the same stimulus" : rank === 255 ? "no value" : "percentile " + rank), event);
        if (pictures[i] && pictures[j]) [i, j].forEach(function (one) { box.appendChild(picture(pictures[one])); });
        event.stopPropagation();
      });
    });
  });
  function picture(id) {
    var space = document.getElementById(id).namespaceURI, svg = document.createElementNS(space, "svg"), use = document.createElementNS(space, "use");
    var size = document.getElementById(id).getAttribute("width");
    svg.setAttribute("viewBox", "0 0 " + size + " " + size);
    use.setAttribute("href", "#" + id);
    svg.appendChild(use);
    return svg;
  }
  function show(text, event) {
    box.textContent = text;
    box.hidden = false;
    var wide = document.documentElement.clientWidth, x = event.clientX + 14, y = event.clientY + 16;
    box.style.left = Math.max(6, Math.min(x, wide - 330)) + "px";
    box.style.top = (y + 130 > window.innerHeight ? Math.max(6, event.clientY - 110) : y) + "px";
  }
  function hide() { box.hidden = true; }
  document.addEventListener("pointermove", function (event) {
    var mark = event.target.closest ? event.target.closest("g.tip") : null;
    if (mark && mark.dataset.tip) show(mark.dataset.tip, event); else hide();
  });
  document.addEventListener("scroll", hide, { passive: true });
  document.addEventListener("keydown", function (event) { if (event.key === "Escape") hide(); });

  // on paper everything is open; in the contents, where one is
  window.addEventListener("beforeprint", function () { document.querySelectorAll("details").forEach(function (d) { d.open = true; }); });
  if ("IntersectionObserver" in window) {
    var links = {};
    document.querySelectorAll("nav a").forEach(function (a) { links[a.getAttribute("href").slice(1)] = a; });
    var seen = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting) return;
        Object.keys(links).forEach(function (id) { links[id].classList.toggle("here", id === entry.target.id); });
      });
    }, { rootMargin: "-10% 0px -75% 0px" });
    document.querySelectorAll("section[id]").forEach(function (section) { seen.observe(section); });
  }
})();
