# SPDX-License-Identifier: GPL-2.0-only
"""Rendering: each installed renderer draws the kit's graphs, and reports a failure without harm to the process."""

import html
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import graphviz
import pytest

from kvmmmu_lab.draw import render as module
from kvmmmu_lab.draw.render import VARIABLE, NoRenderer, Renderer, RenderError, render, renderers
from kvmmmu_lab.errors import InputError, LabError

SVG = "{http://www.w3.org/2000/svg}"

# Drawings consist of HTML tables with ports, clusters, edges from a row to a title.
TABLES = """digraph {
    rankdir=LR;
    subgraph cluster_guest { label=<<FONT COLOR="#0072B2"><B>Guest tables</B></FONT>>;
        g4 [shape=plain, id="g4", label=<<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="0">
            <TR><TD PORT="h" BGCOLOR="#0072B2"><FONT COLOR="white"><B>PML4</B></FONT></TD></TR>
            <TR><TD PORT="e0" ALIGN="LEFT"><FONT FACE="Courier New">  0  P W U A</FONT></TD></TR></TABLE>>];
        g3 [shape=plain, id="g3", label=<<TABLE><TR><TD PORT="h">PDPT</TD></TR></TABLE>>];
    }
    g4:e0:e -> g3:h:w [id="edge-g4-g3", style=dashed, label="read only"];
}"""

ODD = {
    "closes a script": "</script><script>alert(1)</script>",
    "closes CDATA": "]]>",
    "quotes": "he said \"x\" & 'y'",
    "other scripts": "größe → 中文 שלום 🐍",
    "a backslash": "a\\b",
    "percent": "%s%n%d" * 20,
    "closes a comment": "--><!-- x",
    "braces": "${x} {{y}} {a|b|<p>c}",
    "10,000 letters": "x" * 10_000,
}


@pytest.fixture(autouse=True)
def nothing_forced(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture(params=[renderer.name for renderer in renderers()] or ["(none is installed)"])
def renderer(request):
    """Each renderer on this machine. If there is none, the tests fail with a message."""
    (found,) = [renderer for renderer in renderers() if renderer.name == request.param]
    return found


def texts(svg):
    joined = " ".join("".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text"))
    return joined.replace("\N{NO-BREAK SPACE}", " ")


def test_tables_keep_their_ids_texts_and_edges(renderer):
    svg = renderer.draw(TABLES)
    assert svg.startswith("<svg")
    ids = {element.get("id") for element in ET.fromstring(svg).iter()}
    assert {"g4", "g3", "edge-g4-g3"} <= ids
    for text in ("Guest tables", "PML4", "PDPT", "P W U A", "read only"):
        assert text in texts(svg)


@pytest.mark.parametrize("label", ODD.values(), ids=ODD.keys())
def test_an_odd_label_arrives_as_text(renderer, label):
    svg = renderer.draw(f"digraph {{ a [shape=plain, label=<<TABLE><TR><TD>{html.escape(label)}</TD></TR></TABLE>>] }}")
    assert label in texts(svg)
    assert "<script" not in svg


@pytest.mark.parametrize(
    "source",
    [
        "digraph { a ->",
        "hello",
        "digraph { a [label=<<TABLE><TR><TD>unclosed</TABLE>>] }",
        "",
        'digraph { a [label="\x01"] }',
        "digraph { \ud800 }",
    ],
    ids=["syntax", "not DOT", "broken label", "empty", "control character", "lone surrogate"],
)
def test_what_cannot_be_drawn_is_refused_in_words(renderer, source):
    with pytest.raises(RenderError) as caught:
        renderer.draw(source)
    assert str(caught.value).startswith(renderer.name)
    assert "the DOT source begins" in str(caught.value)


def test_a_message_stays_readable_when_the_source_is_long(renderer):
    with pytest.raises(RenderError) as caught:
        renderer.draw("digraph { a [label=<<TABLE>" + "x" * 1_000_000)
    assert len(str(caught.value)) < 500


def test_render_draws_with_the_first_renderer():
    assert texts(render(TABLES)) == texts(renderers()[0].draw(TABLES))


def test_only_text_can_be_drawn():
    with pytest.raises(InputError, match="dot_source is None; expected"):
        render(None)


def test_a_forced_renderer_is_the_only_one(monkeypatch, renderer):
    monkeypatch.setenv(VARIABLE, renderer.name)
    assert renderers() == [renderer]


def test_none_forces_no_renderer(monkeypatch):
    monkeypatch.setenv(VARIABLE, "none")
    assert renderers() == []
    with pytest.raises(NoRenderer, match=f"{VARIABLE}=none"):
        render("digraph {}")


def test_an_unknown_renderer_is_refused_with_those_that_are_known(monkeypatch):
    monkeypatch.setenv(VARIABLE, "cairo")
    with pytest.raises(InputError, match=f"{VARIABLE} is 'cairo'; expected one of dot, graphviz-pure, none"):
        render("digraph {}")


def test_a_machine_without_any_gets_instructions(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name, path: None)
    with pytest.raises(NoRenderer, match="pip install graphviz graphviz-pure"):
        render("digraph {}")


def test_without_the_package_the_message_names_it(monkeypatch, renderer):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    for draw in (render, renderer.draw):
        with pytest.raises(NoRenderer, match="pip install graphviz"):
            draw("digraph {}")


def test_the_package_stays_as_its_other_users_set_it(monkeypatch, renderer):
    """Threads draw with several renderers. The package keeps the DOT_BINARY that its other user has set."""
    monkeypatch.setattr(graphviz.backend.dot_command, "DOT_BINARY", "their-own-dot")
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda one: one.draw(TABLES), 3 * renderers()))
    assert len(drawn) == 3 * len(renderers()) and drawn[: len(renderers())] == drawn[-len(renderers()) :]
    assert graphviz.backend.dot_command.DOT_BINARY == "their-own-dot"


@pytest.fixture
def program(tmp_path):
    """Make a renderer from a few lines of Python."""
    if os.name != "posix":
        pytest.skip("a script with #! runs on POSIX only")

    def make(body):
        path = tmp_path / f"renderer{len(list(tmp_path.iterdir()))}"
        path.write_text(f"#!{sys.executable}\nimport os, sys, time\nsys.stdin.read()\n{body}\n")
        path.chmod(0o755)
        return Renderer("stand-in", str(path))

    return make


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f"os.kill(os.getpid(), {int(signal.SIGSEGV)})", "stand-in crashed .Segmentation fault"),
        ("sys.stderr.write('Warning: x\\nError: no such shape'); sys.exit(1)", "exit status 1.: Error: no such shape"),
        ("sys.exit(3)", "exit status 3.: no reason given"),
        ("print('<svg><g></svg>')", "not well-formed"),
        ("print('<html/>')", "not well-formed"),
        ("time.sleep(60)", "did not finish within"),
    ],
)
def test_each_way_to_fail_has_its_message(program, monkeypatch, body, message):
    monkeypatch.setattr(module, "TIMEOUT", 2.0)
    with pytest.raises(RenderError, match=message):
        program(body).draw("digraph {}")


def test_a_program_that_cannot_be_started_is_named(tmp_path):
    with pytest.raises(RenderError, match=r"could not be started .*nowhere"):
        Renderer("stand-in", str(tmp_path / "nowhere")).draw("digraph {}")


def test_when_one_crashes_the_next_one_draws(program, monkeypatch):
    crashes, draws = program("os.abort()"), program("print('<svg/>')")
    monkeypatch.setattr(module, "renderers", lambda: [crashes, draws])
    assert render("digraph {}").strip() == "<svg/>"


def test_when_all_fail_each_message_is_shown(program, monkeypatch):
    monkeypatch.setattr(module, "renderers", lambda: [program("sys.exit(3)"), program("sys.exit(4)")])
    with pytest.raises(LabError, match=r"exit status 3.*exit status 4"):
        render("digraph {}")


def test_the_extra_lab_alone_can_draw():
    """The embedded renderer is found beside the interpreter, even if PATH is empty."""
    program = "from kvmmmu_lab.draw.render import renderers; print([r.name for r in renderers()])"
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, "PATH": ""}, capture_output=True, text=True)
    assert done.stdout.strip() == "['graphviz-pure']", done.stderr
