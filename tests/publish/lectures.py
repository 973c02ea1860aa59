# SPDX-License-Identifier: GPL-2.0-only
"""Notebooks in the style of real lectures, with their outputs, for decks that must lose nothing.

`LECTURES` maps names to functions that return a `Lecture`. A cell whose metadata have ``reported`` shows something that no
slide can show as it is; the export has to say so in its report.
"""

import base64
import io
import json
from dataclasses import dataclass, field
from functools import cache

from PIL import Image, ImageDraw

PYTHON = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


@dataclass
class Lecture:
    """A notebook: its cells, metadata, minor version of the format, and the files beside it (name -> bytes)."""

    cells: list
    metadata: dict = field(default_factory=lambda: dict(PYTHON))
    minor: int = 5
    files: dict = field(default_factory=dict)

    def save(self, folder, name):
        """Write the notebook and its files into a folder, and return the notebook's path."""
        for file, content in self.files.items():
            (folder / file).write_bytes(content)
        cells = [dict(cell) for cell in self.cells]
        if self.minor >= 5:
            cells = [{**cell, "id": f"cell-{number}"} for number, cell in enumerate(cells)]
        notebook = {"cells": cells, "metadata": self.metadata, "nbformat": 4, "nbformat_minor": self.minor}
        path = folder / f"{name}.ipynb"
        path.write_text(json.dumps(notebook, ensure_ascii=False), "utf-8")
        return path


LECTURES = {}


def lecture(function):
    LECTURES[function.__name__] = cache(function)
    return function


# Cells and outputs


def text(source, kind=None, *tags, reported=False, **more):
    return {"cell_type": "markdown", "metadata": _metadata(kind, tags, reported), "source": source, **more}


def raw(source, kind=None, *tags, reported=False, **metadata):
    return {"cell_type": "raw", "metadata": _metadata(kind, tags, reported) | metadata, "source": source}


def code(source, *outputs, kind=None, tags=(), reported=False):
    metadata = _metadata(kind, tags, reported)
    return {"cell_type": "code", "execution_count": 1, "metadata": metadata, "outputs": list(outputs), "source": source}


def _metadata(kind, tags, reported):
    slideshow = {"slideshow": {"slide_type": kind}} if kind else {}
    return slideshow | ({"tags": list(tags)} if tags else {}) | ({"reported": True} if reported else {})


def printed(words, name="stdout"):
    return {"output_type": "stream", "name": name, "text": words}


def shown(**data):
    """An output of several types: "html" is text/html, "png" image/png, and so on."""
    long = {"html": "text/html", "png": "image/png", "jpeg": "image/jpeg", "svg": "image/svg+xml", "latex": "text/latex"}
    long |= {"markdown": "text/markdown", "plain": "text/plain", "js": "application/javascript", "json": "application/json"}
    return {"output_type": "display_data", "metadata": {}, "data": {long.get(name, name): value for name, value in data.items()}}


def typed(data):
    return {"output_type": "display_data", "metadata": {}, "data": data}


def result(words):
    return {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": words}}


def failed(name, value, *frames):
    red = "\x1b[0;31m"
    traceback = [f"{red}{'-' * 75}\x1b[0m", f"{red}{name}\x1b[0m  Traceback (most recent call last)"]
    return {
        "output_type": "error", "ename": name, "evalue": value,
        "traceback": [*traceback, *frames, f"{red}{name}\x1b[0m: {value}"],
    }  # fmt: skip


def figure(width, height, title="figure"):
    """A plot as matplotlib makes it: PNG, base64."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((width * 0.1, height * 0.1, width * 0.95, height * 0.9), outline="black")
    points = [(width * (0.1 + 0.017 * n), height * (0.85 - 0.0003 * n * n)) for n in range(50)]
    draw.line(points, fill="blue", width=3)
    draw.text((width * 0.4, height * 0.03), title, fill="black")
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def png(width, height, title="figure"):
    return base64.b64encode(figure(width, height, title)).decode()


def frame(columns, rows):
    """A DataFrame as pandas writes it."""
    style = "<style scoped>\n    .dataframe tbody tr th { vertical-align: top; }\n</style>"
    head = "".join(f"<th>{one}</th>" for one in columns)
    body = "".join(
        f"<tr><th>{index}</th>{''.join(f'<td>{value}</td>' for value in values)}</tr>\n" for index, *values in rows
    )
    table = f'<table border="1" class="dataframe">\n<thead><tr style="text-align: right;"><th></th>{head}</tr></thead>\n'
    count = f"<p>{len(rows)} rows × {len(columns)} columns</p>"
    return f"<div>\n{style}\n{table}<tbody>{body}</tbody>\n</table>\n{count}</div>"


# Lectures


@lecture
def regression():
    """Long prose with formulas between the sentences."""
    return Lecture([
        text("# Linear regression\n\nStatistics II, lecture 4 \n\nProf. A. Lovelace, spring term"),
        text(r"""## The estimator

We observe $n$ pairs $(x_i, y_i)$ and believe that $y_i = x_i^\top \beta + \varepsilon_i$, where the errors $\varepsilon_i$ are
independent, have mean zero and the same variance $\sigma^2$. Nothing else is assumed at this point; in particular, the errors
need not be normal. We derive the estimator which minimises the sum of the squared residuals over all the observations that we
have seen so far.

$$\hat\beta = (X^\top X)^{-1} X^\top y$$

It exists whenever the columns of the matrix are linearly independent, which we assume from now on. If they are not, the
estimator is not unique, and one has to choose: by a penalty, by dropping a column, or by taking the shortest of all solutions.

$$
\operatorname{Var}(\hat\beta \mid X) = \sigma^2 (X^\top X)^{-1}
$$

The variance shrinks with the number of observations. It grows when two columns are almost parallel (this is called
*collinearity*). Compare this with the last lecture: there, we had a single column, and the denominator was a sum of squares.
Exercise 3 asks you to show that both are the same when the second column is constant."""),
        text("""## Why least squares?

Gauss and Markov give one answer. Among all estimators that are linear in $y$ and unbiased, least squares has the smallest
variance. The proof takes half a page. It does not need normal errors! What it does need is that the variance is the same for
all observations, and that the errors are not correlated. In time series, neither is true; we come back to this in lecture 9,
where we weight the observations. The other answer is maximum likelihood: if the errors are normal, both agree. A third answer is
geometry, and it is the one to remember: the vector of fitted values is the projection of $y$ onto the space spanned by the
columns of $X$, so the residuals are perpendicular to each of the columns. That is what the normal equations say, and nothing
more. Once you see the picture, you can forget the formula, because you can always derive it again. Please draw it now, with
two columns and three observations, before we go on."""),
    ])  # fmt: skip


@lecture
def exam_topics():
    """Twelve bullets, nested and numbered lists that go on over slides."""
    topics = "\n".join(f"- topic {n}: chapters {n} and {n + 1} of the book by Tanenbaum, without the proofs" for n in range(1, 13))
    steps = "\n".join(
        f"{n}. {what}"
        for n, what in enumerate(
            [
                "Read the whole of the exercise sheet before you begin to write any code at all",
                "Install the kit in a fresh virtual environment, as the README of the course says",
                "Run the tests, and write down which of them fail on your machine and why they do",
                "Hand in before Friday at noon, by e-mail, with your name and number on it",
                "Wait for the marks; they come within a week, and not earlier when you ask",
                "Look at the sample solution and compare it with your own, line by line",
                "Come to the exercise class with at least one question about the difference",
                "Do not copy: we run a program that finds it, and it finds it",
                "Repeat all of this for the eleven sheets that follow",
            ],
            1,
        )
    )
    return Lecture([
        text(f"## Exam topics\n\n{topics}"),
        text(f"## Every week\n\n{steps}"),
        text("""## The memory hierarchy

1. Registers
   - a few hundred bytes
   - no latency
     1. general purpose
     2. floating point and vector registers, which are wider
2. Caches
   - L1: 32 KiB for code, 32 KiB for data
   - L2: private
   - L3: shared by all cores of a socket

   Note that a miss in L3 costs as much as a hundred additions.
3. Main memory
   * DRAM
   * non-volatile memory

        an indented block of code in an item

4. Disks

7. A list that goes on with four again, whatever the source says

Then a paragraph."""),
        text("## Tasks\n\n- [ ] read chapter 3\n- [x] install Python\n\n* another list\n+ and a third one\n\n3) starts at three\n4) goes on"),
    ])  # fmt: skip


@lecture
def links_elsewhere():
    """Definitions of links in other cells, automatic links, links to parts of the notebook."""
    return Lecture([
        text("# Where to read\n\nSee [the manual][sdm], [this paper][] and <https://example.org/auto>."),
        text("""## Sources

The code is described in [a paper][one] that all who work on it should have read before they begin. It is old. The manual is
[this one][sdm], chapter four, where each bit of an entry is listed in one table. It has a thousand pages, and hardly anybody
has read all of them from the first to the last. Go back to [the top](#Where-to-read), or look at
[a very long address](https://example.org/a/very/long/path/that/nobody/reads?with=parameters&and=more#and-a-fragment).

[one]: https://example.org/1 "A title"
"""),
        text("## References\n\nAll of them once more.\n\n[sdm]: https://example.org/sdm\n[this paper]: https://example.org/paper"),
    ])  # fmt: skip


@lecture
def mathematics():
    """Formulas as users of MathJax write them, over several cells."""
    return Lecture([
        text(r"# Maths" "\n\n" r"$\newcommand{\gfn}{\mathrm{gfn}}\newcommand{\norm}[1]{\left\lVert #1 \right\rVert}$ We write $\gfn = 1$."),
        text(r"""## Two matrices

$$
\begin{bmatrix}
1 & x_1 & x_1^2 & x_1^3 \\
1 & x_2 & x_2^2 & x_2^3 \\
1 & x_3 & x_3^2 & x_3^3
\end{bmatrix}
\begin{pmatrix}
a_1 \\ a_2 \\ a_3 \\ a_4
\end{pmatrix}
$$
"""),
        text(r"""## Bracket first

\begin{align}
[n] & = 1 \\
 & = 2
\end{align}
"""),
        text(r"""## Labels

\begin{equation}
\label{eq:bayes}
P(A \mid B) = \frac{P(B \mid A)\, P(A)}{P(B)}
\end{equation}

Look at equation $\eqref{eq:bayes}$ again: the denominator is $\sum_i P(B \mid A_i) P(A_i)$."""),
        text(r"""## Later

Again $\gfn$, and the norm $\norm{x}_2 \le \norm{x}_1$. By \eqref{eq:bayes} we are done. It costs \$5, or 3 \$ and 20 cents.

$$f(x) = \begin{cases} 1 & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}$$

\begin{eqnarray}
a &=& b \\
c &<& d
\end{eqnarray}

$$\begin{aligned} a &= b + c \\ d &= e < f & g \end{aligned}$$

$$\int_{-\infty}^{\infty} e^{-x^2}\,dx = \sqrt{\pi} \tag{Gauss}$$"""),
        text(r"""## A long one

$$\Pr\left[\,\left|\frac{1}{n}\sum_{i=1}^n X_i - \mathbb{E}[X]\right| \ge \varepsilon\right] \le 2\exp\left(-\frac{2 n \varepsilon^2}{(b-a)^2}\right) \le 2\exp\left(-\frac{2 \cdot 10000 \cdot 0.01^2}{(1-0)^2}\right) = 2 e^{-2} \approx 0.27067056647322535$$

| law | formula |
| --- | --- |
| Ohm | $U = R I$ |
| Newton | $F = m\,a$ |

- in a list: $a^2 + b^2 = c^2$
- **bold with $x_*$ and `code $not$ math`**"""),
        code("from IPython.display import Math", shown(latex=r"$\displaystyle \frac{\partial f}{\partial x} = 2x$", plain="<Math>")),
    ])  # fmt: skip


@lecture
def data_frames():
    """Wide and long tables: the first row and column are there, and what is left out is named."""
    wide = frame([f"column_{n}" for n in range(30)], [(n, *(f"{n * k / 7:.6f}" for k in range(30))) for n in range(6)])
    long = frame(["a", "b"], [(n, n, n * n) for n in range(40)])
    longest = frame(["name", "length"], [(n, f"row number {n}", 1000 + n) for n in range(400)])
    return Lecture([
        text("## Data\n\nEach row is one measurement."),
        code("df.head()", shown(html=frame(["cpu", "cycles", "note"], [(0, "i7", 1024, "cold"), (1, "i9", 980, "warm")]), plain="df")),
        text("## Forty rows"),
        code("df.head(40)", shown(html=long, plain="df")),
        text("## Thirty columns"),
        code("df.T", shown(html=wide, plain="df"), reported=True),
        text("## Four hundred rows"),
        code("df", shown(html=longest, plain="df"), reported=True),
    ])  # fmt: skip


@lecture
def progress_bars():
    """Printed text as a terminal shows it."""
    bar = "".join(f"\r{n:3}%|{'#' * (n // 5):20}| {n}/100" for n in range(0, 101, 5))
    return Lecture([
        text("## Training"),
        code("for epoch in tqdm(range(100)): train()", printed(f"{bar}\n", "stderr"), printed("done in 3 s\nwrong\b\b\b\b\bright\n")),
        text("## Colours"),
        code("!ls", printed("\x1b[1;32mrun.sh\x1b[0m  \x1b[01;34mdata\x1b[0m\n\x1b[31mred \x1b[4munderlined\x1b[0m & <b>not bold</b>\n")),
        text("## Downloads"),
        code(
            "download()",
            printed("\r0.0 MB"), printed("\r0.5 MB"), printed("\r1.0 MB\n"), printed("Epoch 1\n  loss: 2.31\rloss: 0.12\n"),
        ),
    ])  # fmt: skip


@lecture
def tracebacks():
    """What goes wrong on purpose."""
    frames = [
        "\x1b[0;32m<ipython-input-1>\x1b[0m in \x1b[0;36m<module>\x1b[0;34m\x1b[0m\n\x1b[0;32m----> 1\x1b[0;31m \x1b[0mf\x1b[0m(0)",
        *(f"\x1b[0;32m/usr/lib/python3/deep/module_{n}.py\x1b[0m in call_{n}(x)\n     {n} def call_{n}(x):\n---> {n + 1}     return call_{n + 1}(x)" for n in range(30)),
    ]  # fmt: skip
    return Lecture([
        text("## Division by zero\n\nWhat does the interpreter say?"),
        code("1 / 0", failed("ZeroDivisionError", "division by zero", "<ipython-input-1> in <module>\n----> 1 1 / 0"), tags=["raises-exception"]),
        text("## A deep one"),
        code("f(0)", failed("RecursionError", "maximum recursion depth exceeded while calling a Python object", *frames), tags=["raises-exception"], reported=True),
    ])  # fmt: skip


@lecture
def figures():
    """Several figures in a cell, a tall one, a wide one, small ones, and text around them."""
    wide = '<svg xmlns="http://www.w3.org/2000/svg" width="2000" height="300" viewBox="0 0 2000 300"><rect width="2000" height="300" fill="#eef"/><text x="20" y="150" font-size="120">wide svg</text></svg>'
    return Lecture([
        text("## Three in a row\n\nTemperature, pressure and humidity of the same day."),
        code("plot_all()", printed("fitting ...\n"), *(shown(png=png(640, 480, one), plain="<Figure>") for one in ("temperature", "pressure", "humidity"))),
        text("## A tall one\n\nThe tree of all calls:"),
        code("plot_tree()", shown(png=png(800, 2000, "tree"), plain="<Figure size 800x2000>"), result("(0.0, 1.0, 0.0, 1.0)")),
        text("The tree is deep on the left. Why? Because the list was sorted already."),
        text("## A wide one"),
        code("svg", shown(svg=wide)),
        text("## Small and big"),
        code("icons()", shown(png=png(16, 16, "")), shown(png=png(3000, 2000, "poster"))),
        text("## A figure beside its code"),
        code("x = np.linspace(0, 10)\nplt.plot(x, x ** 2)\nplt.xlabel('time (s)')\nplt.show()", shown(png=png(576, 432, "parabola"))),
    ])  # fmt: skip


@lecture
def equal_ids():
    """SVG pictures from Cairo, R and igraph use the same ids."""
    def svg(word, width, colour):
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="200" height="80">'
            f'<defs><clipPath id="c"><rect width="{width}" height="80"/></clipPath><g id="glyph"><text font-size="60">{word}</text></g></defs>'
            f'<style>.a {{ fill: {colour} }}</style><rect class="a" width="200" height="80" clip-path="url(#c)"/><use xlink:href="#glyph" x="10" y="55"/></svg>'
        )  # fmt: skip
    return Lecture([
        text("# Two pictures"),
        code("plot(one)", shown(svg=svg("ONE", 60, "red"))),
        text("## The other"),
        code("plot(two)", shown(svg=[svg("TWO", 200, "lime")])),
    ])  # fmt: skip


@lecture
def front_matter():
    """Raw cells: the head of a Quarto talk, reST, LaTeX and HTML for other formats."""
    return Lecture([
        raw("---\ntitle: My talk\nauthor: A. Lecturer\nformat: revealjs\ndate: 2024-05-01\n---"),
        text("## First slide\n\nHello"),
        text("---"),
        text("Second"),
        raw(".. note:: For Sphinx only.", raw_mimetype="text/restructuredtext", reported=True),
        raw("\\newpage", format="text/latex", reported=True),
        raw("<b>Raw HTML</b> for web pages", raw_mimetype="text/html", reported=True),
        raw("Raw without a format: # no heading, *no* emphasis"),
    ])  # fmt: skip


@lecture
def many_in_one_cell():
    """Rules and headings inside a cell begin slides."""
    return Lecture([
        text("# Many slides\n\nin one cell\n\n---\n\nAfter the rule.\n\n***\n\n- a list after another rule\n\n___\n\nThe end of it."),
        text("## First\n\ntext one\n\n## Second\n\ntext two\n\n### Third\n\ntext three\n\n#### A small heading\n\ntext four"),
        text("Setext heading\n==============\n\nunder it\n\nAnother\n-------\n\nand under that\n\n```python\n# no heading\n---\n```\n\n    ## no heading either"),
    ])  # fmt: skip


@lecture
def fragments():
    """Fragments stay with the plot that they belong to."""
    return Lecture([
        text("## Plot", "slide"),
        code("plot()", shown(png=png(640, 400, "peak")), kind="-"),
        text("- look at the peak", "fragment"),
        text("- and the tail", "fragment"),
        text("## Questions", "slide"),
        text("What is the complexity of this loop?", "fragment"),
        code("for i in range(n):\n    for j in range(i):\n        work(i, j)", kind="fragment"),
        text("It is quadratic.", "fragment"),
        code("f'{n * (n - 1) // 2} calls'", result("'4950 calls'"), kind="fragment"),
        text("### A sub-slide\n\nwith text", "subslide"),
        text("A remark for the speaker: mention Gauss.", "notes"),
        text("Not for the audience.", "skip"),
        text("Back on the slide."),
    ])  # fmt: skip


@lecture
def widgets():
    """Widgets, Plotly, Bokeh, Vega: what only lives in a notebook."""
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "x", "version_major": 2, "version_minor": 0}}
    plotly = {
        "data": [{"type": "scatter", "x": [1, 2, 3], "y": [2, 1, 4], "name": "throughput"}],
        "layout": {"title": {"text": "Throughput over time"}},
    }
    vega = {"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "mark": "bar", "data": {"values": [{"a": 1}]}}
    return Lecture([
        text("## Slider"),
        code("w", typed({**view, "text/plain": "IntSlider(value=5)"}), reported=True),
        text("## Interact"),
        code("interact(plot, n=(1, 9))", typed({**view, "text/plain": "interactive(children=(IntSlider(value=5),))"}), reported=True),
        text("## Plotly"),
        code("fig.show()", typed({"application/vnd.plotly.v1+json": plotly}), reported=True),
        text("## Altair"),
        code("chart", typed({"application/vnd.vegalite.v5+json": vega, "text/plain": "alt.Chart(...)"}), reported=True),
        text("## Script"),
        code("%%javascript\nelement.append('hello')", shown(js="element.append('hello')"), reported=True),
        text("## JSON"),
        code("JSON(data)", shown(json={"levels": [4, 3, 2, 1]}, plain="<IPython.core.display.JSON object>"), reported=True),
        text("## Last slide\n\nStill there."),
    ])  # fmt: skip


@lecture
def diagrams():
    """Mermaid, and listings in many languages."""
    return Lecture([
        text("## State machine\n\n```mermaid\nstateDiagram-v2\n  [*] --> Invalid\n  Invalid --> Shared: read\n  Shared --> Modified: write\n```", reported=True),
        text("## In C\n\n```c\nstatic int f(struct vcpu *v)\n{\n\treturn v->x & ~(u64)0xfff; /* <mask> */\n}\n```\n\nand in no language:\n\n~~~\nplain <text>\n~~~"),
        text("## Shell\n\n```console\n$ cat /proc/cpuinfo | grep vmx\nflags : fpu vme de\n```\n\n`inline`, ``with ` tick``, and a\ttab."),
    ])  # fmt: skip


@lecture
def arabic_and_hebrew():
    """Text from right to left, mixed with code and Latin words."""
    return Lecture([
        text("# مقدمة في أنظمة التشغيل\n\nهذا نص باللغة العربية."),
        text("## جداول الصفحات\n\n- الصفحة الأولى\n- الصفحة الثانية مع كلمة kernel في الوسط\n- العنوان `0x1000`\n\n1. أولا\n2. ثانيا"),
        text("## מבוא\n\nזהו טקסט בעברית, עם נוסחה $x^2$ ועם מילה english בתוכו.\n\n| שם | ערך |\n| --- | --- |\n| גודל | 4096 |"),
        text("## Mixed\n\nThe word كتاب means book. The word ספר does, too."),
        code("print('مرحبا')", printed("مرحبا\n")),
    ], metadata={**PYTHON, "language": "ar"})  # fmt: skip


@lecture
def chinese_and_japanese():
    """Text without spaces, wide characters, and emoji."""
    long = "虚拟机监控程序为客户机维护一套影子页表。" * 14
    return Lecture([
        text("# 影子页表\n\n操作系统课程，第三讲"),
        text(f"## 为什么需要影子页表？\n\n{long}"),
        text("## 仮想記憶\n\n- ページテーブルは四段です。\n- 例外が起きると、ホストが処理します。\n- カタカナとﾊﾝｶｸ、全角ＡＢＣ\n\n> 引用もあります。"),
        text("## 한국어\n\n가상 머신은 페이지 테이블을 사용합니다. 두 번째 문장입니다."),
        text("## Emoji 🚀\n\n👩‍💻 works on 🐧 ✅ and 🇪🇺 — “quotes” … done."),
        code("print('进度：完成')", printed("进度：完成\n名称\t数量\n苹果\t3\n")),
    ], metadata={**PYTHON, "title": "影子页表"})  # fmt: skip


@lecture
def pictures_in_text():
    """Pictures in Markdown: a file, an attachment, HTML, one that is missing, one of the web."""
    attached = base64.b64encode(figure(300, 200, "attached")).decode()
    return Lecture([
        text("## A file\n\nThe setup:\n\n![The setup](setup.png)\n\n*Figure 1: two machines and a switch.*"),
        text("## Attached\n\n![a figure](attachment:figure.png)\n\nas pasted from the clipboard", attachments={"figure.png": {"image/png": attached}}),
        text('## As HTML\n\n<img src="setup.png" width="300" alt="again">\n\n<center><img src="setup.png"/></center>'),
        text("## Missing\n\n![nowhere to be found](gone.png)\n\nText after it.", reported=True),
        text("## Of the web\n\n![logo](https://example.org/logo.png) and text beside it.", reported=True),
        text("## In a list\n\n- one ![icon](setup.png)\n- two\n\n| a | b |\n| --- | --- |\n| ![cell](setup.png) | text |"),
    ], files={"setup.png": figure(500, 300, "setup")})  # fmt: skip


@lecture
def films_and_frames():
    """Video, audio, iframes: what is local is inlined, what is far away is named."""
    return Lecture([
        text('## A clip\n\n<video src="clip.mp4" controls width="400"></video>\n\nThe ball bounces.'),
        text('## A far clip\n\n<video controls><source src="https://example.org/far.mp4" type="video/mp4"></video>\n\nText.', reported=True),
        text('## A page\n\n<iframe src="https://example.org/page" width="600" height="300"></iframe>\n\nMore text.', reported=True),
        code("YouTubeVideo('abc')", shown(html='<iframe width="400" height="300" src="https://www.youtube.com/embed/abc" allowfullscreen></iframe>', plain="<YouTubeVideo>"), reported=True),
        text("## Missing clip\n\n<audio src='nothing.ogg' controls></audio>\n\nSilence.", reported=True),
    ], files={"clip.mp4": b"\0\0\0\x18ftypmp42" + bytes(2000)})  # fmt: skip


@lecture
def long_words():
    """Words and addresses that are longer than a slide is wide, and text without any structure."""
    word = "Donaudampfschifffahrtsgesellschaftskapitänswitwenversorgungsanstaltsbeamtenbesoldungserhöhung"
    return Lecture([
        text(f"## {word}\n\nThe word **{word}{word}** is long, and `{'identifier_' * 20}` is, too."),
        text("## An address\n\nhttps://example.org/" + "segment/" * 40 + "\n\nand <https://example.org/?q=" + "x" * 300 + ">"),
        text("## " + "A title that is much too long because its author wrote a whole paragraph into the heading " * 3 + "\n\nShort text."),
        text("## No end\n\n" + " ".join(f"word{n}" for n in range(400))),
    ])  # fmt: skip


@lecture
def long_code():
    """A cell of 120 lines, lines of 300 characters, and a page of printed text."""
    body = "\n".join(
        f"def step_{n}(state):\n    \"\"\"Move number {n}.\"\"\"\n    return state ^ {n:#x}\n" for n in range(30)
    )
    return Lecture([
        text("## The whole program"),
        code(f"import os\n\n{body}\nprint(step_3(5))", printed("6\n")),
        text("## Long lines"),
        code("values = [" + ", ".join(str(n) for n in range(80)) + "]  # on one line", printed("".join(f"{n:4}" for n in range(75)) + "\n")),
        text("## Printed"),
        code("for n in range(60): print(n, n ** 2)", printed("".join(f"{n} {n**2}\n" for n in range(60)))),
        text("## Much printed"),
        code("for n in range(5000): print('line', n)", printed("".join(f"line {n}\n" for n in range(5000))), reported=True),
        text("## Without spaces"),
        code("print('x' * 3000)", printed("0123456789" * 60 + "\n")),
    ])  # fmt: skip


@lecture
def html_tables():
    """Tables in HTML with cells that span, tables in Markdown with alignment, and a big one."""
    spans = """<table>
<caption>Results of the benchmark</caption>
<thead><tr><th rowspan="2">Machine</th><th colspan="2">Latency</th></tr><tr><th>mean</th><th>p99</th></tr></thead>
<tbody><tr><td>old</td><td>12 ms</td><td>80 ms</td></tr><tr><td>new</td><td colspan="2">not measured</td></tr></tbody>
</table>"""
    many = "\n".join(f"| {n} | {n * n} | the square of {n} |" for n in range(30))
    return Lecture([
        text(f"## Spans\n\n{spans}\n\nLower is better."),
        text(f"## Thirty rows\n\n| number | square | words |\n| ---: | :---: | --- |\n{many}"),
        text("## Long cells\n\n| flag | meaning |\n| --- | --- |\n" + "\n".join(f"| `FLAG_{n}` | {'This flag has a long explanation, which fills more than one line of the table. ' * 2}|" for n in range(8))),
        code("HTML(table)", shown(html=spans.replace("benchmark", "second run"), plain="<IPython.core.display.HTML object>")),
    ])  # fmt: skip


@lecture
def boxes():
    """HTML in Markdown: details, alerts, columns, and MyST's and Quarto's fences."""
    return Lecture([
        text("## Details\n\n<details>\n<summary>Solution</summary>\n\nThe answer is *42*.\n\n- a list inside\n\n</details>\n\nAfter it."),
        text('## Alert\n\n<div class="alert alert-info">\n<b>Note:</b> the host <i>write-protects</i> the table.\n</div>\n\nPress <kbd>Ctrl</kbd>+<kbd>C</kbd>.<br>New line with x<sup>2</sup> and H<sub>2</sub>O.'),
        text('## Columns\n\n<div style="display: flex">\n<div>\n\nLeft **column** of text.\n\n</div>\n<div>\n\nRight column of text.\n\n</div>\n</div>'),
        text("## Quote\n\n> To be, or not to be.\n>\n> > A quote in a quote.\n>\n> - with a list\n\nTerm  \nwith a hard break\n\n~~struck~~ **bold** ***both*** _under_"),
        text("<style>h2 { color: red }</style>\n<script>alert(1)</script>\n\n## Style\n\nA cell with a style and a script.", reported=True),
    ])  # fmt: skip


@lecture
def in_r():
    """A notebook of another kernel, run elsewhere."""
    table = "A data.frame: 2 × 2\n<table><thead><tr><th scope=col>x</th><th scope=col>y</th></tr><tr><th scope=col>&lt;dbl&gt;</th><th scope=col>&lt;chr&gt;</th></tr></thead><tbody><tr><td>1</td><td>a</td></tr><tr><td>2</td><td>b</td></tr></tbody></table>"
    return Lecture([
        text("# Statistics in R"),
        code("x <- c(1, 2, 3)\nsummary(x)", result("   Min. 1st Qu.  Median    Mean 3rd Qu.    Max. \n    1.0     1.5     2.0     2.0     2.5     3.0 ")),
        code("data.frame(x = 1:2, y = c('a', 'b'))", shown(html=table, plain="  x y\n1 1 a\n2 2 b")),
        code("stop('no')", failed("ERROR", "Error in eval(expr, envir, enclos): no\n", "Error in eval(expr, envir, enclos): no\nTraceback:\n")),
        code("hist(x)", shown(**{"png": png(420, 420, "histogram"), "plain": "plot without title"})),
    ], metadata={"kernelspec": {"display_name": "R", "language": "R", "name": "ir"}, "language_info": {"name": "R", "file_extension": ".r"}}, minor=4)  # fmt: skip


@lecture
def in_julia():
    """An old notebook in Julia: nbformat 4.0, without ids."""
    return Lecture([
        text("Julia without a heading at first.\n\nTwo paragraphs, even."),
        code("using LinearAlgebra\nA = [1 2; 3 4]", result("2×2 Matrix{Int64}:\n 1  2\n 3  4")),
        code("det(A)", result("-2.0")),
        code(""),
        text(""),
        text("   \n\n"),
        code("# only a comment"),
        text("### Starts at three\n\nThe end."),
    ], metadata={"kernelspec": {"display_name": "Julia 1.9", "language": "julia", "name": "julia-1.9"}}, minor=0)  # fmt: skip


@lecture
def hidden():
    """Tags of Jupyter Book, and metadata that hide."""
    return Lecture([
        text("# Tags"),
        code("import secret_setup", tags=["remove-cell"]),
        code("plot(styled=True)", printed("only the output\n"), tags=["hide-input"]),
        code("x = noisy()", printed("not to be seen\n"), tags=["remove-output"]),
        code("print('input removed')", printed("input removed\n"), tags=["remove-input"]),
        text("Shown.", None, "some-other-tag"),
        text("<!-- a comment of the author -->\n\n## After a comment\n\nText <!-- inside --> goes on."),
        text("<!-- slide: Only this. -->\n\n## A summary by the author\n\nThe long text that the audience need not see."),
    ])  # fmt: skip


@lecture
def no_headings():
    """A notebook without any heading: prose and code in turn."""
    cells = []
    for n in range(6):
        cells += [text(f"Step {n}: we now look at case number {n}, which is a little harder than the one before."), code(f"solve({n})", result(f"[{n}, {n + 1}]"))]
    return Lecture(cells, minor=2)


@lecture
def outputs_in_markdown():
    """Text that a cell displays as Markdown, HTML with paragraphs, several results, and printed text between."""
    return Lecture([
        text("## Displayed"),
        code("show_all()",
             shown(markdown="**Result:** the mean is $\\mu = 3$\n\n1. first\n2. second", plain="<Markdown>"),
             printed("between\n"),
             shown(html="<h4>Report</h4><p>One paragraph.</p><ul><li>an item</li><li>another</li></ul>", plain="<HTML>"),
             printed("to the error stream\n", "stderr"),
             result("{'a': 1,\n 'b': 2}")),
        text("## Nothing but text"),
        code("model", result("LinearRegression()")),
        code("x = 3"),
        code("x", result("3")),
    ], minor=3)  # fmt: skip
