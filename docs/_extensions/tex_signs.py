"""The signs that the grammar knows, and what to write instead of those that it refuses."""

from __future__ import annotations


def _commands(names: str) -> frozenset[str]:
    return frozenset("\\" + name for name in names.split())


ACCENTS = _commands("bar hat tilde dot")
STYLES = _commands("mathbf boldsymbol mathcal mathrm operatorname")
GREEK = _commands(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi rho "
    "sigma tau upsilon phi varphi chi psi omega ell "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
FUNCTIONS = _commands("exp log tanh sin cos max min det")
FRACTIONS = _commands("frac tfrac dfrac")
BINOMIALS = _commands("binom tbinom dbinom")
BIG = _commands("sum prod")
OPENING = _commands("lVert lvert langle")
CLOSING = _commands("rVert rvert rangle")
RELATIONS = {"=": "=", "<": "<", ">": ">", r"\le": r"\le", r"\leq": r"\le", r"\ge": r"\ge", r"\geq": r"\ge"}
MATRICES = ("pmatrix", "bmatrix")
ALIGNED = ("aligned", "split")

SPACES = _commands(", ; : ! > quad qquad displaystyle textstyle limits nolimits nonumber notag") | {"\\ "}
SIZES = _commands(
    "left right big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm biggm Biggm"
)
BRACES = _commands("underbrace overbrace")
WRAPPERS = BRACES | _commands("boxed skippath branch")
DOTS = _commands("dots ldots")

_SIGNS = frozenset("+-=<>()[]{}_^',./&")
KNOWN = (_SIGNS | {r"\\", r"\odot", r"\cdot", r"\top", r"\sqrt", r"\partial", *RELATIONS}).union(
    ACCENTS, STYLES, GREEK, FUNCTIONS, FRACTIONS, BINOMIALS, BIG, OPENING, CLOSING, DOTS
)
DELIMITERS = OPENING | CLOSING | set("()[]")
TAKES_ARGUMENT = ACCENTS | STYLES | FRACTIONS | BINOMIALS | {"_", "^", r"\sqrt"}

AGREE = "cannot be evaluated: an equation with it states its check with agree(...) instead"
REFUSED = dict.fromkeys(_commands("approx sim simeq propto to in cdots lim infty int mathbb Pr"), AGREE) | {
    "|": r"is not in the grammar: write \lvert a \rvert or \lVert a \rVert",
    r"\|": r"is not in the grammar: write \lVert a \rVert",
    r"\times": r"is refused: write \cdot with a scalar, \odot elementwise, nothing for a product",
    "*": r"is refused: write \cdot with a scalar, \odot elementwise, nothing for a product",
    r"\text": "needs its words in one pair of braces",
    r"\ln": r"is not in the grammar: write \log",
    r"\prime": "is not in the grammar: write '",
    r"\nabla": r"is not in the grammar: write \bar x for the gradient at x",
    r"\forall": r"is not in the grammar: end with , \quad l = 0, \dots, L-1",
    r"\intercal": r"is not in the grammar: write ^\top",
    ":": "is not in the grammar: write = for a definition",
    r"\phantom": "hides what it holds and is refused",
}
INSTEAD = {
    "−": "-", "–": "-", "·": r"\cdot", "⋅": r"\cdot", "×": r"\cdot", "⊙": r"\odot", "≤": r"\le", "≥": r"\ge",
    "ᵀ": r"^\top", "⊤": r"\top", "∑": r"\sum", "∏": r"\prod", "√": r"\sqrt", "∂": r"\partial", "′": "'",
    "’": "'", "‖": r"\lVert", "…": r"\dots", "\N{NO-BREAK SPACE}": "~",
}  # fmt: skip
