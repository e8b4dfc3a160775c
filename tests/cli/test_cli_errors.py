"""Bad input: one line with the field, what came and what is allowed; status 2; nothing computed or written.

Every case is a command and a pattern that its line must contain.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from simdiff.cli import main as cli

HERE = Path(__file__).parent.parent
OWN = "problem=own_problem:Mean theory=own_problem:mean_theory sizes=[20,40] precision=0.5 out=done"

CASES = {
    # values of the problem
    "negative ratio": ("run psi_n=-1", "psi_n: got -1; allowed: a finite number > 0"),
    "ratio zero": ("run model.psi_p=0", "model.psi_p: got 0; allowed: a finite number > 0"),
    "ratio nan": ("run psi_n=nan", "psi_n: got nan; allowed: a finite number > 0"),
    "ratio inf": ("run model.psi_p=inf", "model.psi_p: got inf"),
    "ratio a word": ("run psi_n=abc", "psi_n: got 'abc'; allowed: a finite number > 0"),
    "ratio empty": ("run psi_n=", "psi_n: got ''"),
    "ratio true": ("run psi_n=true", "psi_n: got True"),
    "ratio in a sweep": ("run -m psi_n=1,2,-3", "psi_n: got -3"),
    "m = 0": ("run m=0", "m: got 0; allowed: an integer >= 1"),
    "m = 1.5": ("run m=1.5", "m: got 1.5; allowed: an integer >= 1"),
    "m = nan": ("run m=nan", "m: got nan"),
    "m a word": ("run m=many", "m: got 'many'"),
    "m in a sweep": ("run -m m=1,2,0", "m: got 0"),
    "m too large": ("run m=10000000000", "m: got 10000000000; allowed: n m <= "),
    "t = 0": ("run t=0", "t: got 0; allowed: a finite number > 0"),
    "ridge zero": ("run trainer.ridge=0", "trainer.ridge: got 0; allowed: a finite number > 0"),
    "unknown activation": ("run model.activation=rely", "got 'rely'; allowed: tanh, relu, .* mean 'relu'"),
    "activation without module": ("run model.activation=nomod:f", "no module named 'nomod'"),
    "activation without attribute": ("run model.activation=math:f", "math has no attribute 'f'"),
    "activation not a function": ("run model.activation=math:pi", r"model\.activation: got 'math:pi'"),
    "spectrum a number": ("run data.spectrum=7", r"data\.spectrum: got 7; allowed: two equally long lists"),
    "spectrum flat": ("run data.spectrum=[1,2]", r"data\.spectrum: got .*two equally long lists"),
    "spectrum words": ("run data.spectrum=[[a],[1]]", r"data\.spectrum: got .*two equally long lists"),
    "spectrum weights": ("run data.spectrum=[[1,2],[.3,.3]]", "weights add up to 0.6, not to 1"),
    "exponent a word": ("run data=power_law data.exponent=x", r"data\.exponent: got 'x'"),
    "exponent negative": ("run data=power_law data.exponent=-1", r"data\.exponent: got -1; allowed: .* >= 0"),
    "fresh noise, finite m": (
        "run trainer=optax trainer.noise=fresh trainer.batch=8 m=4",
        "m: got 4; allowed: inf",
    ),
    "fresh noise, no batch": (
        "run trainer=optax trainer.noise=fresh m=inf",
        r"trainer\.batch: got None; allowed: an",
    ),
    "optimiser": (
        "run trainer=optax trainer.name=adm",
        "trainer.name: got 'adm'; allowed: sgd, .*mean 'adam'",
    ),
    "steps": ("run trainer=optax trainer.steps=0", "trainer.steps: got 0; allowed: an integer >= 1"),
    # settings of the run
    "sizes a number": ("run sizes=100", "sizes: got 100; allowed: a list of integers"),
    "sizes one": ("run sizes=[100]", r"sizes: got \[100\]; allowed: two or more different"),
    "sizes equal": ("run sizes=[50,50]", r"sizes: got \[50, 50\]; allowed: two or more different"),
    "sizes words": ("run sizes=[50,abc]", "sizes: got 'abc'; allowed: an integer >= 2"),
    "sizes fractional": ("run sizes=[50,60.5]", "sizes: got 60.5; allowed: an integer >= 2"),
    "sizes negative": ("run sizes=[50,-60]", "sizes: got -60"),
    "sizes that collapse": ("run psi_n=0.1 sizes=[99,101]", "sizes farther apart"),
    "more memory than there is": (
        "run sizes=[200000,400000]",
        "sizes: got 200000; allowed: at most about .*GiB",
    ),
    "precision zero": ("run precision=0", "precision: got 0; allowed: a finite number > 0 and <= 1"),
    "precision a word": ("run precision=high", "precision: got 'high'"),
    "alpha": ("run alpha=1.5", "alpha: got 1.5; allowed: a number between 0 and 1"),
    "seed negative": ("run seed=-1", "seed: got -1; allowed: an integer from 0"),
    "seed fractional": ("run seed=0.5", "seed: got 0.5"),
    "max_trials few": ("run max_trials=3", "max_trials: got 3; allowed: an integer >= 4"),
    "max_trials a word": ("run max_trials=lots", "max_trials: got 'lots'"),
    "dtype": ("run dtype=float16", "dtype: got 'float16'; allowed: auto, float32, mixed, float64"),
    "out empty": ("run out=", "out: got ''"),
    "figure kind": ("run figure.kind=pie", "figure.kind: got 'pie'; allowed: curves, maps, none"),
    "figure axis": ("run figure.x=psip", r"figure\.x: got 'psip'; allowed: .*model\.psi_p"),
    "figure series": ("run figure.series=k", r"figure\.series: got 'k'"),
    "figure metric": ("run figure.metrics=[tst]", r"figure\.metrics: got 'tst'.*did you mean 'test'"),
    "figure grid": ("run figure.grid=few", r"figure\.grid: got 'few'; allowed: an integer >= 2"),
    "map without axes": ("run figure.kind=maps", r"figure: got .*set figure\.x and figure\.y"),
    "map of one value": ("run experiment=phase_map_m_1 psi_n=2", r"figure\.x: got 'psi_n'; allowed: .*swept"),
    # theories and problems
    "theory name": ("run theory=gaussian_equivalance", "theory: got .*did you mean 'gaussian_equivalence'"),
    "theory module": ("run theory=nomod:f", "theory: got 'nomod:f'.*no module named 'nomod'"),
    "theory attribute": ("run theory=own_problem:nothing", "module own_problem has no attribute 'nothing'"),
    "theory a number": ("run theory=math:pi", "theory: got 'math:pi'; allowed: a callable"),
    "theory file broken": (
        "run theory=broken:f",
        "theory: got 'broken:f'.*importing broken failed: SyntaxError",
    ),
    "theory metric": (
        "run theory=own_problem:mean_theory problem=own_problem:Path",
        "got 'twice'; allowed: value",
    ),
    "problem name": (
        "run problem=denoisin",
        "problem: got 'denoisin'; allowed: denoising, .*mean 'denoising'",
    ),
    "problem not a problem": (
        "run problem=math:pi",
        "problem: got 'math:pi'; allowed: a subclass of simdiff.Problem",
    ),
    "problem argument": ("run problem=own_problem:Mean levle=3", "got 'levle=3'.*did you mean 'level'"),
    "argument of another problem": (
        "run problem=linear_sampling m=4",
        r"override: got 'm=4'; allowed: arguments of the problem \(data, trainer, schedule, psi_n",
    ),
    "argument of another problem, swept": (
        "run -m problem=linear_sampling t=1,2",
        "got 't=1,2'; allowed: arg",
    ),
    "problem's own error": ("run problem=picky:Picky size=-2", "Picky: got .*size must be positive"),
    "problem without an argument": ("run problem=picky:Picky", "size: got 'nothing'; allowed: a value"),
    "problem with a taken name": (
        "run problem=picky:Taken",
        "rename alpha: a setting of the run has that name",
    ),
    "predict without a theory": ("predict problem=own_problem:Mean", "theory: got None.*Mean has no default"),
    # words
    "typo": ("run psin=3", "override: got 'psin=3'; allowed: .*did you mean 'psi_n'"),
    "typo with a plus": ("run +psin=3", "override: got 'psin=3'.*did you mean 'psi_n'"),
    "typo in a group": ("run model.psip=3", "got 'model.psip=3'.*did you mean 'model.psi_p'"),
    "typo in a sweep": ("run -m psin=3,4", "got 'psin=3'.*did you mean 'psi_n'"),
    "other group's entry": (
        "run data.exponent=1",
        "got 'data.exponent=1'; allowed: settings of the chosen data",
    ),
    "no equals sign": ("run psi_n", "command line: got 'psi_n'; allowed: overrides of the form name=value"),
    "spaces": ("run psi_n = 3", "command line: got 'psi_n'; allowed: overrides of the form name=value"),
    "deletion": ("run ~psi_n", "got '~psi_n'; allowed: overrides of the form name=value"),
    "open bracket": ("run sizes=[10,20", r"command line: got 'sizes=\[10,20'; allowed: name=value"),
    "comma list without -m": ("run m=1,2", r"m: got '1,2'; allowed: one value \(sweeping takes -m\)"),
    "endless sweep": ("run -m m=interval(1,2)", r"m: got 'interval\(1,2\)'; allowed: values with commas"),
    "sweep of a setting": ("run -m seed=1,2", "sweep: got 'seed'; allowed: parameters of the problem"),
    "Hydra's settings": ("run hydra.verbose=true", "override: got 'hydra.verbose=true'"),
    "reference": ("run name=${nam}", "Interpolation key 'nam' not found"),
    "unknown experiment": (
        "run experiment=gaussian",
        "experiment: got 'gaussian'; allowed: .*gaussian_learning_curve",
    ),
    "unknown data": (
        "run data=gausian",
        "data: got 'gausian'; allowed: digits, .*gaussian, .*power_law, .*mean 'gaussian'",
    ),
    "images without a file": ("run data=images", "data.path: got None; allowed: the path of a .npy"),
    "another size of images": ("run data=digits sizes=[50,100]", r"sizes: got \[50, 100\]; allowed: \[64\]"),
    "unknown data type": (
        "run data.type=Normal",
        r"data\.type: got 'Normal'; allowed: .*Gaussian, .*PowerLaw",
    ),
    "unknown model": ("run model=mlp", "model: got 'mlp'; allowed: .*random_features"),
    "unknown trainer": (
        "run trainer=rigde",
        "trainer: got 'rigde'; allowed: .*optax, ridge .*did you mean 'ridge'",
    ),
    "unknown flag": ("run --fast", "command line: got '--fast'; allowed: name=value overrides"),
    "unknown command": (
        "rum m=2",
        "command: got 'rum'; allowed: run, predict, .*, list .*did you mean 'run'",
    ),
    "words after list": ("list data", "list: got 'data'; allowed: papers"),
    "a home that there is not": ("report ~nobody-here", "folder: got .~nobody-here"),
    "unpacked into a home that there is not": ("import x.zip ~nobody-here/x", "folder: got .~nobody-here"),
    "a folder in a home that there is not": ("run out=~nobody-here/x", "folder: got .~nobody-here/x"),
    "a group of Hydra's": ("run @x=1", "configuration: got '@x=1'"),
    "more words after list": ("list papers data", "command line: got 'data'"),
    # theories that raise
    "theory that raises": (
        f"run {OWN} theory=raising:theory level=3",
        r"theory raising:theory: got 'ArithmeticError: no limit at 3 \(raising\.py, line 3\)'.*'Mean'",
    ),
    "theory that raises, predict": (
        "predict -m problem=own_problem:Mean theory=raising:theory level=1,3",
        r"theory raising:theory: got 'ArithmeticError: no limit .*2 points",
    ),
    # launchers and the cache
    "unknown launcher": ("run launcher=slrum", "launcher: got 'slrum'; allowed: basic, .*mean 'slurm'"),
    "launcher type": ("run launcher.type=os.system", r"launcher\.type: got 'os\.system'; allowed: basic, jo"),
    "class for a launcher": ("run launcher=slurm +launcher._target_=os.system", "override: got .*_target_"),
    "jobs": ("run launcher=slurm launcher.jobs=0", r"launcher\.jobs: got 0; allowed: an integer >= 1"),
    "launcher in a sweep": ("run -m launcher=basic,local", "sweep: got 'launcher'"),
    "checkpoint": ("run checkpoint=often", "checkpoint: got 'often'; allowed: a finite number > 0"),
    "cache": ("run compilation_cache=3", "compilation_cache: got 3; allowed: auto, off, or a folder"),
    # folders
    "folder under a file": (f"run {OWN} out=plain/there", "run folder: got 'plain/there'.*plain is a file"),
    "folder is a file": (f"run {OWN} out=plain", "run folder: got 'plain'.*plain is a file"),
    "folder with a report of another": (f"run {OWN} out=foreign", "run folder: got 'foreign/report.md'"),
    "report of no run": (
        f"report {OWN} out=nowhere",
        "run folder: got 'nowhere'; allowed: the folder of a run",
    ),
    "truncated results": (
        f"run {OWN}",
        r"results file done/trials/\w+/d20.*truncated or damaged.*delete that file",
    ),
    "truncated results, report": (f"report {OWN}", r"results file done/trials/\w+/d20.*truncated or damaged"),
}

PICKY = """
import dataclasses
import simdiff

@dataclasses.dataclass(frozen=True)
class Picky(simdiff.Problem):
    size: float
    metrics = (simdiff.Metric("value"),)

    def __post_init__(self):
        if self.size < 0:
            raise ValueError("size must be positive")

@dataclasses.dataclass(frozen=True)
class Taken(simdiff.Problem):
    alpha: float = 1.0
    metrics = (simdiff.Metric("value"),)
"""

RAISING = """
def theory(problem):
    raise ArithmeticError(f"no limit at {problem.level:g}")
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A working directory with a problem, a finished run whose first file lost its end, and other files."""
    here = tmp_path_factory.mktemp("template")
    shutil.copy(HERE / "toy_problems.py", here / "own_problem.py")
    (here / "picky.py").write_text(PICKY)
    (here / "broken.py").write_text("def f(:\n")
    (here / "raising.py").write_text(RAISING)
    (here / "plain").write_text("a file\n")
    (here / "foreign").mkdir()
    (here / "foreign" / "report.md").write_text("someone's\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        assert cli.main(["run", *OWN.split(), "figure.kind=none"]) == 0
    shard = min((here / "done" / "trials").glob("*/d20-*"))
    shard.write_bytes(shard.read_bytes()[:-200])
    return here


def contents(folder):
    """Every path below the folder, and what the files hold."""
    files = [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in files
    }


@pytest.fixture(scope="module")
def results(template, tmp_path_factory):
    """Every case in a copy of the template, all in one process."""
    place = tmp_path_factory.mktemp("cases")
    cases = {}
    for number, (name, (words, _)) in enumerate(CASES.items()):
        shutil.copytree(template, place / str(number))
        cases[name] = {"folder": str(place / str(number)), "words": words.split(" ")}
    (place / "cases.json").write_text(json.dumps(cases))
    done = subprocess.run(
        [sys.executable, str(HERE / "cli_driver.py"), str(place / "cases.json")],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return {name: found[name] | {"files": contents(Path(case["folder"]))} for name, case in cases.items()}


@pytest.mark.parametrize("name", CASES)
def test_one_line_names_field_value_and_what_is_allowed(name, results):
    found, (_, words) = results[name], CASES[name]
    assert found["status"] == 2, found
    assert found["err"].count("\n") == 1, found["err"]
    assert found["err"].startswith("simdiff: ")
    assert re.search(words, found["err"]), found["err"]
    assert found["out"] == ""


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_written(name, results, template):
    found, before = results[name]["files"], contents(template)
    if re.search("out=(?!foreign)", CASES[name][0]):  # the run folder of a sound command may be made, empty
        found = {path: content for path, content in found.items() if content or path in before}
    assert found == before
