// Keeps a page fresh, and nothing else: every page is whole without it. It listens to the server's events,
// fetches the same page again, and puts the new content in place of the old. Nothing is changed while
// somebody types.
(function () {
  "use strict";
  var main = document.getElementById("main");
  var said = document.getElementById("said");
  var state = document.getElementById("live");
  if (!main || !window.EventSource || !window.fetch || !window.DOMParser) return;

  var waiting = null, asking = false, again = false;

  function busy() {
    var at = document.activeElement;
    var writes = at && main.contains(at) && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName);
    var filled = Array.prototype.some.call(main.querySelectorAll("form[method=post] textarea, form[method=post] input[type=text]"), function (field) {
      return field.value !== field.defaultValue;
    });
    return writes || filled;
  }

  function opened() {
    return Array.prototype.map.call(main.querySelectorAll("details"), function (one) { return one.open; });
  }

  function refresh() {
    waiting = null;
    if (busy() || document.hidden) { later(5000); return; }
    if (asking) { again = true; return; }
    asking = true;
    fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" }).then(function (answer) {
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.text();
    }).then(function (text) {
      var fresh = new DOMParser().parseFromString(text, "text/html").getElementById("main");
      if (!fresh || busy() || fresh.innerHTML === main.innerHTML) return;
      var open = opened(), focused = document.activeElement && document.activeElement.id;
      main.replaceChildren.apply(main, Array.prototype.slice.call(fresh.childNodes));
      Array.prototype.forEach.call(main.querySelectorAll("details"), function (one, place) { if (open[place]) one.open = true; });
      if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
      crosshairs();
    }).catch(function () { later(10000); }).finally(function () {
      asking = false;
      if (again) { again = false; later(500); }
    });
  }

  function later(after) {
    if (waiting === null) waiting = setTimeout(refresh, after);
  }

  function show(word) {
    if (state) state.textContent = word;
  }

  // The browser sends the number of the last event it got when it connects again, so nothing is left out.
  function listen() {
    var source = new EventSource("/api/v1/events?since=" + encodeURIComponent(main.dataset.seq || "0"));
    source.onopen = function () { show("live"); };
    source.onerror = function () {
      show("not connected; trying again");
      if (source.readyState === 2) setTimeout(listen, 15000);
    };
    source.onmessage = function (event) {
      var told = null;
      try { told = JSON.parse(event.data); } catch (bad) { return; }
      if (said && told.text) said.textContent = told.text;
      later(400);
    };
  }

  // Reads a plot off at the pointer. The numbers stand in the table under the plot as well.
  function crosshairs() {
    Array.prototype.forEach.call(document.querySelectorAll("svg.plot[data-read]"), function (plot) {
      var points = JSON.parse(plot.dataset.read), out = plot.parentNode.querySelector("output");
      var line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      line.setAttribute("class", "cross");
      line.setAttribute("y1", "0");
      line.setAttribute("y2", "190");
      function read(event) {
        var box = plot.getBoundingClientRect();
        var x = (event.clientX - box.left) / box.width * plot.viewBox.baseVal.width;
        var near = points.reduce(function (best, point) { return Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best; }, points[0]);
        if (!near) return;
        line.setAttribute("x1", near[0]);
        line.setAttribute("x2", near[0]);
        plot.appendChild(line);
        if (out) out.textContent = near[1];
      }
      plot.addEventListener("pointermove", read);
      plot.addEventListener("pointerleave", function () { line.remove(); if (out) out.textContent = ""; });
    });
  }

  crosshairs();
  if (document.body.dataset.live === "1") listen();
})();
