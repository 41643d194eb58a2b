"""A page is read as a notebook in which checks are cells."""

from reader import displays, fences, notebook_of, rows

PAGE = r"""---
title: unused
---
# A page

```{math}
:label: eq-page-one
y = F(x) + x
```

```{check} eq-page-one
>>> 1 + 1
2
!= y = F(x)  % no skip
```

```{code-cell} python
:tags: [remove-cell]
x = 1
```

```{derivation}
:label: eq-page-two
y &= F(x) + x | by {eq}`eq-page-one`
&= \lVert x \rVert
```

```{check} eq-page-two
:rtol: 1e-9
>>> 2
2
```
"""


def test_a_check_becomes_an_executed_cell_that_holds_the_tex() -> None:
    cells = [cell for cell in notebook_of(PAGE).cells if cell.cell_type == "code"]
    assert [cell.metadata.get("tags") for cell in cells] == [
        ["remove-input", "check"],
        ["remove-cell"],
        ["remove-input", "check"],
    ]
    seen = {}
    source = cells[2].source.replace("from checking import check", "")
    exec(source, {"check": lambda *a, **k: seen.update(args=a, settings=k)})
    assert seen["args"][:3] == (
        "eq-page-two",
        "\ny &= F(x) + x \\\\\n&= \\lVert x \\rVert\n",
        "\n| >>> 2\n| 2\n",
    )
    assert seen["settings"] == {"rtol": "1e-9"}


def test_cells_know_the_lines_that_they_came_from() -> None:
    lines, notebook = PAGE.splitlines(), notebook_of(PAGE)
    first = [lines[start] for start in notebook.metadata["source_map"]]
    assert first[1] == "```{check} eq-page-one"
    assert first[2] == ":tags: [remove-cell]"
    assert len(first) == len(notebook.cells)


def test_an_edit_of_the_prose_changes_no_cell() -> None:
    def code(text: str) -> list[str]:
        return [cell.source for cell in notebook_of(text).cells if cell.cell_type == "code"]

    assert code(PAGE) == code(PAGE.replace("# A page", "# A page\n\nMore prose."))


def test_a_fence_knows_its_label_and_the_line_of_its_body() -> None:
    for fence in fences(PAGE):
        assert PAGE.splitlines()[fence.line - 1] == fence.body.splitlines()[0]
    assert list(displays(PAGE)) == ["eq-page-one", "eq-page-two"]


def test_a_row_is_a_step_and_its_reason() -> None:
    assert [(r.step, r.reason) for r in rows("a = b | why\n= c")] == [("a = b", "why"), ("= c", "")]


def test_no_line_of_a_check_cell_begins_with_a_prompt() -> None:
    # IPython would take it off and the example would be lost without a word.
    for cell in notebook_of(PAGE).cells:
        assert not any(line.lstrip().startswith((">>>", "...")) for line in cell.source.splitlines())


def test_a_body_with_triple_quotes_survives() -> None:
    page = '```{math}\n:label: eq-a-b\nx\n```\n\n```{check} eq-a-b\n>>> """a"""\n```\n'
    [cell] = [c for c in notebook_of(page).cells if c.cell_type == "code"]
    seen = {}
    exec(cell.source.replace("from checking import check", ""), {"check": lambda *a: seen.update(a=a)})
    assert seen["a"][2] == '| >>> """a"""'
