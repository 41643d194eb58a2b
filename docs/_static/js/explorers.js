/* Explorers: each form chooses a state, and one function for each explorer draws it. No library, nothing is fetched.

   What is read out stands in the table of the page, as the build wrote it; curves are the stored whole numbers.
   draw[name](plot, choice, data) gets the indices of the stops and may return numbers for the sentence. */
(function () {
  "use strict";

  var wide = window.matchMedia("(min-width: 46rem)");

  function make(name, attributes, parent, text) {
    var node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (var key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    if (parent) parent.appendChild(node);
    return node;
  }

  function number(value) {
    return String(+value.toFixed(3)).replace("-", "\u2212");
  }

  function power(exponent) {
    if (exponent > -2 && exponent < 3) return String(Math.pow(10, exponent)).slice(0, 4);
    return "10" + String(exponent).replace(/./g, function (sign) { return "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]; });
  }

  /* A drawing with axes. `x` and `y` are [from, to, ticks, words of an axis, text of a tick]. */
  function Plot(stage, x, y, right) {
    this.wide = wide.matches;
    var W = this.wide ? 640 : 328, H = this.wide ? 320 : 260;
    var left = 52, top = 30, bottom = 44, plot = this;
    right = right || 14;
    this.width = W;
    this.height = H;
    this.right = right;
    this.svg = make("svg", { viewBox: "0 0 " + W + " " + H, width: W, height: H, role: "img" }, stage);
    this.x = function (v) { return left + (v - x[0]) / (x[1] - x[0]) * (W - left - right); };
    this.y = function (v) { return H - bottom - (v - y[0]) / (y[1] - y[0]) * (H - top - bottom); };
    make("path", { class: "axis", d: "M" + left + " " + (top - 4) + "V" + (H - bottom) + "H" + (W - right) }, this.svg);
    x[2].forEach(function (v) {
      make("path", { class: "axis", d: "M" + plot.x(v) + " " + (H - bottom) + "v4" }, plot.svg);
      plot.text(plot.x(v), H - bottom + 18, (x[4] || number)(v), "muted", "middle");
    });
    y[2].forEach(function (v) {
      make("path", { class: "axis", d: "M" + left + " " + plot.y(v) + "h-4" }, plot.svg);
      plot.text(left - 8, plot.y(v) + 5, (y[4] || number)(v), "muted", "end");
    });
    this.text((left + W - right) / 2, H - 6, x[3], "muted", "middle");
    this.text(4, 14, y[3], "muted");
  }

  Plot.prototype = {
    text: function (x, y, words, role, anchor) {
      make("text", { x: x, y: y, class: role, "text-anchor": anchor || "start" }, this.svg, words);
    },
    /* A faint line through the whole plot, level or upright. */
    rule: function (value, level, role) {
      make("path", { class: role || "zero", d: level ? "M52 " + this.y(value) + "H" + (this.width - this.right) : "M" + this.x(value) + " 26V" + (this.height - 44) }, this.svg);
    },
    note: function (x, y, words, role, anchor) {
      this.text(this.x(x), this.y(y), words, role, anchor);
    },
    line: function (xs, ys, role, words) {
      var plot = this, last = xs.length - 1;
      var d = xs.map(function (x, i) { return plot.x(x).toFixed(1) + " " + plot.y(ys[i]).toFixed(1); });
      make("path", { class: "line " + role, d: "M" + d.join("L") }, this.svg);
      if (words) this.text(this.x(xs[last]) + 8, this.y(ys[last]) + 5, words, role);
    },
    band: function (xs, low, high, role) {
      var plot = this;
      var at = function (ys) { return function (x, i) { return plot.x(x).toFixed(1) + " " + plot.y(ys[i]).toFixed(1); }; };
      var d = xs.map(at(high)).concat(xs.map(at(low)).reverse());
      make("path", { class: "band " + role, d: "M" + d.join("L") + "Z" }, this.svg);
    },
    bars: function (xs, ys, role, share) {
      var plot = this, width = (this.x(1) - this.x(0)) * share;
      xs.forEach(function (x, i) {
        var height = plot.y(0) - plot.y(ys[i]);
        if (height > 0.05)
          make("rect", { class: "bar " + role, x: (plot.x(x) - width / 2).toFixed(1), y: plot.y(ys[i]).toFixed(1), width: width.toFixed(1), height: height.toFixed(1) }, plot.svg);
      });
    },
    /* Medians, with bars from a low to a high quantile. */
    points: function (xs, low, middle, high, role) {
      var plot = this;
      xs.forEach(function (x, i) {
        if (low) make("path", { class: "line thin " + role, d: "M" + plot.x(x) + " " + plot.y(low[i]) + "V" + plot.y(high[i]) }, plot.svg);
        make("circle", { class: "dot " + role, cx: plot.x(x), cy: plot.y(middle[i]), r: 3 }, plot.svg);
      });
    },
    here: function (x, y) {
      make("circle", { class: "here", cx: this.x(x), cy: this.y(y), r: 7 }, this.svg);
    },
    arrow: function (from, to, role) {
      var x = this.x(to[0]), y = this.y(to[1]), dx = x - this.x(from[0]), dy = y - this.y(from[1]);
      var length = Math.hypot(dx, dy);
      if (length < 1) return;
      dx *= 9 / length;
      dy *= 9 / length;
      make("path", { class: "line " + role, d: "M" + this.x(from[0]) + " " + this.y(from[1]) + "L" + (x - dx) + " " + (y - dy) }, this.svg);
      make("path", { class: "tip " + role, d: "M" + x + " " + y + "L" + (x - dx - dy / 2) + " " + (y - dy + dx / 2) + "L" + (x - dx + dy / 2) + " " + (y - dy - dx / 2) + "Z" }, this.svg);
    }
  };

  function range(from, to, step) {
    for (var list = [], v = from; v <= to; v += step || 1) list.push(v);
    return list;
  }

  var draw = {};

  draw.node = function (stage, choice, data) {
    var angle = data.turns[choice[2]] * Math.PI / 180, W = data.branches[choice[1]], part = choice[0] === 1 ? 0.5 : 1;
    var y = [Math.cos(angle) - 2 * Math.sin(angle), Math.sin(angle) + 2 * Math.cos(angle)];
    var beside = choice[0] === 2;
    var skip = beside ? [0, y[1]] : [part * y[0], part * y[1]], into = beside ? [y[0], 0] : skip;
    var out = [into[0] * W[0][0] + into[1] * W[0][1], into[0] * W[1][0] + into[1] * W[1][1]];
    var x = [skip[0] + out[0], skip[1] + out[1]];
    var pair = function (v) { return "(" + number(v[0]) + ", " + number(v[1]) + ")"; };
    var reach = wide.matches ? 15 : 8.5;
    var plot = new Plot(stage, [-reach, reach, range(-8, 8, 4), "first number"], [-6.5, 6.5, range(-6, 6, 3), "second number"]);
    plot.rule(0, true);
    plot.rule(0, false);
    plot.arrow([0, 0], skip, "skip");
    plot.arrow(skip, x, "branch");
    if (choice[0]) plot.arrow([0, 0], y, "ink");
    plot.arrow([0, 0], x, "gradient");
    var away = function (v, role, words, below) {
      var at = plot.x(v[0]) + (v[0] < 0 ? -6 - 7 * words.length : 6);
      plot.text(Math.max(54, Math.min(at, plot.width - 8 * words.length)), plot.y(v[1]) + (below ? 20 : -8), words, role);
    };
    if (Math.hypot(x[0] - y[0], x[1] - y[1]) > 0.3) away(y, "ink", "ȳ", y[1] < x[1]);
    away(x, "gradient", "x̄ = " + pair(x), y[1] >= x[1]);
    return { shown: { y_bar: pair(y), skip: pair(skip), into: pair(into), out: pair(out), x_bar: pair(x) }, exact: [y, skip, into, out, x] };
  };

  draw.gate = function (stage, choice, data) {
    var plot = new Plot(stage, [-7, 0, range(-7, 0), "bias of the gates at the start"], [0, 1, [0, 0.25, 0.5, 0.75, 1], "share of the gradient kept"]);
    var share = function (v) { return Math.pow(10, v / 1e4); };
    var kept = data.kept[choice[1]].map(share), drawn = data.measured[choice[1]].map(function (row) { return row.map(share); });
    plot.rule(0.5, true);
    plot.line(data.bias, kept, "skip");
    plot.points(data.whole, drawn[0], drawn[1], drawn[2], "gradient");
    plot.here(data.bias[choice[0]], kept[choice[0]]);
    plot.note(-0.1, 0.94, "line: the skips alone", "skip", "end");
    plot.note(-0.1, 0.85, "points: the whole gradient", "gradient", "end");
  };

  draw.paths = function (stage, choice, data) {
    var parts = function (v) { return v / 1e4; };
    var L = data.depth[choice[1]], count = data.paths[choice[1]].map(parts), energy = data.energy[choice[0]][choice[1]].map(parts);
    var top = Math.ceil(20 * Math.max.apply(null, count.concat(energy)) + 0.2) / 20, ends = data.window[choice[0]][choice[1]];
    var plot = new Plot(stage, [-0.5, L + 0.5, range(0, L, L > 60 ? 20 : L > 30 ? 10 : L > 12 ? 4 : L / 6), "length of the path: branches taken"], [0, top, [0, top / 2, top], "share"]);
    plot.bars(range(0, L), count, "ink", 0.9);
    plot.line(range(0, L), energy, "gradient");
    make("path", { class: "window gradient", d: "M" + plot.x(ends[0] - 0.5) + " " + plot.y(0) + "H" + plot.x(ends[1] + 0.5) }, plot.svg);
    plot.note(L, top * 0.94, "dashed: energy of the gradient", "gradient", "end");
    plot.note(L, top * 0.85, "filled: number of paths", "ink", "end");
  };

  draw.inverse = function (stage, choice, data) {
    var curves = data.curves[choice[0]][choice[1]], log = function (v) { return v / 100; }, steps = data.steps[choice[2]];
    var plot = new Plot(stage, [0, 40, range(0, 40, 10), "steps"], [-12, 4, range(-12, 4, 4), "distance from x, relative", power]);
    var seen = range(0, 40, 2), middle = curves[curves.length >> 1].map(log), end = data.law[choice[1]] / 100;
    var last = end < -12 ? -480 / end : 40;
    plot.rule(0, true);
    plot.line([0, last], [0, last / 40 * end], "branch");
    if (curves.length > 1) {
      plot.band(seen, curves[0].map(log), curves[2].map(log), "ink");
      plot.line(seen, middle, "ink");
    } else plot.points(seen, null, middle, null, "ink");
    plot.here(steps, middle[steps / 2]);
    var free = end > 0 ? -9 : 3; // where no line runs
    plot.note(39.5, free, (curves.length > 1 ? "line: the bound" : "line: the law") + " cᵏ", "branch", "end");
    plot.note(39.5, free - 1.4, (curves.length > 1 ? "band" : "points") + ": measured", "ink", "end");
  };

  draw.flow = function (stage, choice, data) {
    var at = function (kind) { return data[kind][choice[2]][choice[0]][choice[1]]; }, seen = -20;
    var log = function (v) { return Math.max(v / 100, seen); }, curves = at("lengths").map(function (row) { return row.map(log); });
    var values = at("values").map(log), shift = function (order) { return 76 + order / 2; };
    var plot = new Plot(stage, [0, 109, [0, 32, 64, 76, 108], wide.matches ? "blocks passed — order of the singular value" : "blocks passed — order of the value", function (v) { return v < 70 ? v : v < 80 ? 1 : 64; }], [seen, 14, [seen, -10, 0, 10], "length — singular values, relative", power]);
    plot.rule(0, true);
    plot.rule(70);
    plot.band(data.passed, curves[0], curves[2], "gradient");
    plot.line(data.passed, curves[1], "gradient");
    plot.points(data.order.slice(0, values.length).map(shift), null, values, null, "ink");
    if (values[values.length - 1] === seen) plot.note(108, seen + 1, "and below", "muted", "end");
    var above = curves[1][16] > 6;
    plot.note(1, above ? -4 : 11, "dashed: length", "gradient");
    plot.note(108, above ? -6 : 9, "points: values", "ink", "end");
  };

  draw.catch = function (stage, choice, data) {
    var log = function (v) { return Math.max(v / 100, -14); }, right = data.right[choice[0]].map(log), wrong = data.wrong[choice[0]][choice[1]].map(log), limit = data.tolerance[choice[2]] / 100;
    var plot = new Plot(stage, [-13, -1, range(-13, -1, 4), "step", power], [-14, 1, range(-12, 0, 4), "relative error", power]);
    plot.rule(limit, true, "axis");
    /* Its name stands where the fewest points are: above or below it, at the right, in the middle or at the left. */
    var met = function (spot) {
      var y = limit + spot[1];
      return data.steps.filter(function (x, i) {
        return x > spot[0] - 3.3 && x <= spot[0] && [right[i], wrong[i]].some(function (v) { return v > y - 0.5 && v < y + 1.3; });
      }).length;
    };
    var spots = [[-1, 0.3], [-1, -1.2], [-5.5, 0.3], [-5.5, -1.2], [-9.7, 0.3], [-9.7, -1.2]];
    var spot = spots.reduce(function (best, one) { return met(one) < met(best) ? one : best; });
    plot.note(spot[0], limit + spot[1], "tolerance", "muted", "end");
    plot.line(data.steps, wrong, "ink");
    plot.points(data.steps, null, right, null, "gradient");
    plot.here(data.steps[data.at], wrong[data.at]);
    plot.note(-12.8, -12.4, "points: the right vjp", "gradient");
    plot.note(-12.8, -13.6, "line: the wrong one", "ink");
  };

  draw.seeds = function (stage, choice, data) {
    var part = function (v) { return v / 1000; }, logs = data.logs[choice[2]].map(part), mean = data.means[choice[0]][choice[1]][choice[2]].map(part);
    var taken = (choice[1] > 1 ? data.drawn[choice[1] - 2] : data.chosen[choice[2]][choice[1]]).slice(0, data.runs[choice[0]]), heights = {}, low = -1, high = 2.2;
    var places = logs.map(function (log) { return (Math.floor(10 * log) + 0.5) / 10; });
    var dots = places.map(function (place) { return heights[place] = (heights[place] || 0) + 1; }), most = Math.max.apply(null, dots), top = most * 1.35 + 2;
    var plot = new Plot(stage, [low, high, range(-1, 2), "plain loss over residual loss", power], [0, top, range(0, most, 10), "seeds"]);
    plot.rule(0);
    dots.forEach(function (dot, k) {
      make("circle", { class: taken.indexOf(k) < 0 ? "ring" : "dot ink", cx: plot.x(places[k]), cy: plot.y(dot), r: plot.wide ? 4 : 3 }, plot.svg);
    });
    if (mean.length > 1) plot.line(mean.slice(1).map(function (v) { return Math.max(low, Math.min(v, high)); }), [top * 0.95, top * 0.95], "ink");
    plot.here(mean[0], top * 0.95);
    plot.note(high, top * 0.82, mean.length > 1 ? "filled: drawn; bar: their interval" : "filled: the one drawn", "ink", "end");
  };

  function start(figure) {
    var told = JSON.parse(figure.querySelector("script").textContent), controls = told.controls;
    var form = figure.querySelector("form"), stage = figure.querySelector(".stage"), output = figure.querySelector("output");
    var remark = figure.querySelector(".remark"), table = figure.querySelector("table").tBodies[0];
    var fields = controls.map(function (c) { return form.querySelector("[data-control=" + c.name + "]"); });
    var defaults = controls.map(function (c) { return c.default; }), choice = defaults.slice(), drawn = {}, timer;

    /* The words of a state: those of the controls and of its cells in the table. */
    function words() {
      var found = {}, row = 0, column = 0, across = null;
      controls.forEach(function (c, i) {
        found[c.name] = c.texts[choice[i]];
        if (c.name === told.across) across = choice[i];
        else { row = row * c.texts.length + choice[i]; column += 1; }
      });
      told.results.forEach(function (name, i) {
        found[name] = table.rows[row].cells[column + (across === null ? i : across)].textContent;
      });
      return found;
    }

    function fill(text, by) {
      return text.replace(/\{(\w+)\}/g, function (_, name) { return by[name]; });
    }

    function show() {
      controls.forEach(function (c, i) {
        var input = fields[i].querySelector("input[type=range]");
        if (!input) { fields[i].querySelectorAll("input")[choice[i]].checked = true; return; }
        input.value = choice[i];
        input.setAttribute("aria-valuetext", c.texts[choice[i]]);
        fields[i].querySelector("b").textContent = c.texts[choice[i]];
      });
      if (!draw[told.name]) return; // all states are drawn in the page, and its style shows the chosen one
      var old = stage.querySelector("svg");
      if (old) old.remove();
      drawn = draw[told.name](stage, choice, told.data) || {};
      if (drawn.exact) figure.dataset.exact = JSON.stringify(drawn.exact);
      stage.querySelector("svg").setAttribute("aria-label", sentence());
    }

    function sentence() {
      return fill(told.say, Object.assign(words(), drawn.shown));
    }

    function say() {
      clearTimeout(timer);
      output.textContent = sentence();
      /* WebKit refuses more than a hundred in half a minute; the next one that it takes is right again. */
      try { history.replaceState(null, "", address()); } catch (refused) {}
    }

    function tell(text) {
      remark.textContent = text;
      remark.hidden = !text;
    }

    function address() {
      var others = location.search.slice(1).split("&").filter(function (part) { return part && part.split("=")[0] !== told.name; });
      var tokens = controls.map(function (c, i) { return c.tokens[choice[i]]; });
      var chosen = String(choice) !== String(defaults);
      if (chosen) others.unshift(told.name + "=" + tokens.join(","));
      return location.pathname + (others.length ? "?" + others.join("&") : "") + (chosen ? "#" + figure.id : location.hash);
    }

    function go(search) {
      var asked = new URLSearchParams(search), wanted = asked.get(told.name), only = asked.get("only");
      var tokens = wanted ? wanted.split(",") : [];
      var found = controls.map(function (c, i) { return c.tokens.indexOf(tokens[i]); });
      var good = tokens.length === controls.length && found.indexOf(-1) < 0;
      choice = good ? found : defaults.slice();
      tell(wanted && !good ? "There is no state “" + wanted + "”: this is the first one." : "");
      var named = only && controls.some(function (c) { return c.name === only; });
      fields.forEach(function (field, i) { field.hidden = Boolean(named) && controls[i].name !== only; });
      show();
      output.textContent = sentence();
    }

    function copy(text) {
      var by_hand = function () { tell("To copy: " + text); };
      if (!navigator.clipboard) return by_hand();
      navigator.clipboard.writeText(text).then(function () { tell("Copied: " + text); }, by_hand);
    }

    form.addEventListener("submit", function (event) { event.preventDefault(); });
    form.addEventListener("input", function () {
      choice = fields.map(function (field) { return +(field.querySelector("input[type=range]") || field.querySelector("input:checked")).value; });
      tell("");
      show();
      clearTimeout(timer);
      timer = setTimeout(say, 400);
    });
    form.addEventListener("change", say);
    figure.addEventListener("click", function (event) {
      var action = event.target.closest(".buttons button"), literal = {};
      if (!action) return;
      action = action.textContent;
      if (action === "reset") { choice = defaults.slice(); tell(""); show(); say(); }
      if (action === "copy link") { say(); copy(location.href); }
      if (action === "copy Python") {
        controls.forEach(function (c, i) { literal[c.name] = c.tokens[choice[i]]; });
        copy(fill(told.python, literal));
      }
      if (action === "table") {
        var fold = table.closest("details");
        fold.open = !fold.open;
        if (fold.open) fold.querySelector("summary").focus();
      }
    });
    /* Any link of the page to a state of this explorer sets it. */
    document.addEventListener("click", function (event) {
      var link = event.target.closest("a[href*='#" + figure.id + "']");
      if (!link || !link.search || link.pathname !== location.pathname || !new URLSearchParams(link.search).has(told.name)) return;
      event.preventDefault();
      go(link.search);
      say();
      if (!figure.contains(link)) figure.scrollIntoView();
    });
    wide.addEventListener("change", show);
    figure.classList.add("live");
    go(location.search);
  }

  document.querySelectorAll("figure[data-explorer]").forEach(start);
})();
