"""The sparse head: chosen logits are the full ones, whatever the model does with them."""

from __future__ import annotations

import copy
import pickle
import re
import threading
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm.errors import LogitsMismatch
from slm.models.head import HeadPlan, allowed_ids, allowed_ids_reference
from slm.models.transformers import TransformersModel, load_folder
from tests.unit.models.tiny import ATTENTION, make_folder

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
try:
    from slm import _native
except ImportError:
    _native = None
needs_native = pytest.mark.skipif(_native is None, reason="the native engine is not built here")

# One family for each thing that models do with logits, or with the layer that makes them.
GEMMA = {**ATTENTION, "head_dim": 16}
FAMILIES = {
    "plain": ("LlamaConfig", {**ATTENTION, "tie_word_embeddings": False}),
    "tied": ("LlamaConfig", {**ATTENTION, "tie_word_embeddings": True}),
    "soft cap": ("Gemma2Config", {**GEMMA, "final_logit_softcapping": 5.0}),
    "multiplied": ("CohereConfig", {**ATTENTION, "logit_scale": 0.25}),
    "divided": ("GraniteConfig", {**ATTENTION, "logits_scaling": 8.0}),
    "bias": ("PhiConfig", {**ATTENTION, "num_key_value_heads": 4}),
    "another cache": ("GPT2Config", {"n_positions": 128, "n_head": 4}),
}


def mask_of(ids, size):
    bits = np.zeros(-(-size // 32) * 32, np.uint8)
    bits[list(ids)] = 1
    return np.packbits(bits, bitorder="little").view(np.int32)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request, tmp_path_factory):
    """A tiny model of each family, loaded."""
    config, options = FAMILIES[request.param]
    return load_folder(make_folder(tmp_path_factory.mktemp("family"), config, **options))


@given(
    words=st.lists(st.integers(-(2**31), 2**31 - 1) | st.just(0), max_size=9),
    limit=st.integers(0, 300),
)
def test_allowed_ids_are_those_of_the_twin(words, limit):
    """Any mask, any limit: the ids, or None where there are more."""
    mask = np.array(words, np.int32)
    got, expected = allowed_ids(mask, limit), allowed_ids_reference(mask, limit)
    assert (got is None) == (expected is None)
    if got is not None:
        assert got.dtype == np.int64
        assert got.tolist() == expected.tolist()


@needs_native
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", [1, 7, 63, 64, 65, 200, 576])
def test_chosen_dot_products_are_those_of_float64(dtype, width):
    """Any width, with and without bias, rows apart in memory: right to the type's rounding."""
    torch.manual_seed(width)
    wide = torch.randn(50, width + 3, dtype=dtype)
    for weight in (wide[:, :width], wide[:, :width].contiguous()):
        hidden, bias = torch.randn(width, dtype=dtype), torch.randn(50, dtype=dtype)
        ids = np.array([0, 3, 3, 49, 17])
        for added in (None, bias):
            out = torch.full((5,), float("nan"))
            _native.gather_dot(weight, hidden, ids, added, out)
            exact = weight.double()[ids] @ hidden.double()
            size = (weight.double()[ids].abs() @ hidden.double().abs()).numpy()
            if added is not None:
                exact = exact + added.double()[ids]
                size = size + added.double()[ids].abs().numpy()
            error = np.abs(out.double().numpy() - exact.numpy())
            assert (error <= size * (1e-6 if dtype == torch.float32 else 2**-8)).all()
            assert (out.to(dtype).float() == out).all()


@needs_native
def test_a_dot_product_does_not_depend_on_its_neighbours_or_on_threads():
    """Bit for bit: alone, among others, and with as many threads as there are."""
    torch.manual_seed(0)
    weight, hidden = torch.randn(3000, 512), torch.randn(512)
    ids = np.arange(3000)
    outs = [torch.zeros(3000) for _ in range(3)]
    for threads, out in zip((1, 2, 7), outs, strict=True):
        _native.gather_dot(weight, hidden, ids, None, out, threads)
    assert torch.equal(outs[0], outs[1])
    assert torch.equal(outs[0], outs[2])
    for token in (0, 1234, 2999):
        out = torch.zeros(1)
        _native.gather_dot(weight, hidden, np.array([token]), None, out)
        assert out[0] == outs[0][token]


@needs_native
@pytest.mark.parametrize(
    "change",
    [
        {"weight": torch.zeros(4)},
        {"weight": torch.zeros(8, 4).T},
        {"weight": torch.zeros(4, 8, dtype=torch.float64)},
        {"hidden": torch.zeros(7)},
        {"hidden": torch.zeros(8, dtype=torch.bfloat16)},
        {"ids": np.array([0, 4])},
        {"ids": np.array([-1, 0])},
        {"ids": np.array([0.0, 1.0])},
        {"ids": np.array([0])},
        {"bias": torch.zeros(3)},
        {"bias": torch.zeros(4, dtype=torch.bfloat16)},
        {"out": torch.zeros(3)},
    ],
)
def test_wrong_arguments_of_the_kernel_are_refused(change):
    """Nothing is read or written out of bounds: shapes, types and ids are checked."""
    given_ = {
        "weight": torch.zeros(4, 8),
        "hidden": torch.zeros(8),
        "ids": np.array([0, 3]),
        "bias": None,
        "out": torch.zeros(2),
    }
    _native.gather_dot(**given_)
    with pytest.raises((TypeError, ValueError, IndexError)):
        _native.gather_dot(**{**given_, **change})


def test_chosen_logits_are_the_full_ones(family):
    """Batches of rows of unequal length, some masks small, some large, some none."""
    random = np.random.default_rng(0)
    size = len(family.vocabulary)
    counts = (3, 1, 5, 2)
    tokens = [random.integers(2, 250, count).tolist() for count in counts]
    few = [sorted(random.choice(size, count, replace=False)) for count in (1, 9, 18, 140)]
    many = sorted(random.choice(size, size - 3, replace=False))
    for wanted in (few, [few[1], None, few[0], None], [few[2], many, few[3], few[0]], [few[0]] * 4):
        masks = [None if ids is None else mask_of(ids, size) for ids in wanted]
        sessions = family.session(4), family.session(4)
        for _ in range(2):  # prompts, then a step with a cache
            full = sessions[0].feed(tokens)
            rows = sessions[1].feed_masked(tokens, masks)
            assert family.head.full_because is None
            assert any(row.ids is not None for row in rows)
            for got, expected, ids in zip(rows, full, wanted, strict=True):
                assert got.values.dtype == np.float32
                if got.ids is None:
                    assert np.abs(got.values - expected).max() < 1e-4
                else:
                    assert got.ids.tolist() == ids
                    assert np.abs(got.values - expected[got.ids]).max() < 1e-4


def test_the_torch_path_gives_the_same(family, monkeypatch):
    """Without the native kernel (and on a GPU): the same logits, one row or several."""
    size = len(family.vocabulary)
    masks = [mask_of(range(at, at + 5), size) for at in (0, 40, 45)]
    tokens = [[5, 6], [7, 8], [9, 3]]
    native = family.session(3).feed_masked(tokens, masks)
    alone = family.session(1).feed_masked(tokens[:1], masks[:1])
    monkeypatch.setattr("slm.models.head._native", None)
    for got, expected in (
        (family.session(3).feed_masked(tokens, masks), native),
        (family.session(1).feed_masked(tokens[:1], masks[:1]), alone),
    ):
        for one, other in zip(got, expected, strict=True):
            assert one.ids.tolist() == other.ids.tolist()
            assert np.abs(one.values - other.values).max() < 1e-4


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_small_types_differ_by_their_rounding_only(name, tmp_path):
    """bfloat16 and float16: the full layer's logit, or a neighbour of it."""
    model = load_folder(make_folder(tmp_path, "LlamaConfig", **ATTENTION), dtype=name)
    size, step = len(model.vocabulary), {"bfloat16": 2**-7, "float16": 2**-10}[name]
    full = model.session(1).feed([[4, 5, 6]])[0]
    (row,) = model.session(1).feed_masked([[4, 5, 6]], [mask_of(range(18), size)])
    assert row.ids is not None
    scale = np.abs(full[row.ids]) + 2**-7 * np.abs(full).max()
    assert (np.abs(row.values - full[row.ids]) <= step * scale).all()


def test_the_model_is_left_as_it_was(model):
    """After a pass the output layer is torch's own, and all its logits come."""
    size = len(model.vocabulary)
    model.session(1).feed_masked([[3]], [mask_of([5, 9], size)])
    layer = model.model.get_output_embeddings()
    assert "forward" not in vars(layer)
    ids = torch.tensor([[3, 4]])
    assert model.model(ids).logits.shape == (1, 2, layer.weight.shape[0])


def test_models_can_be_copied_and_sent(model):
    """A deep copy and a pickled model compute chosen logits by themselves."""
    size = len(model.vocabulary)
    mask = mask_of([5, 9], size)
    (expected,) = model.session(1).feed_masked([[3, 4]], [mask])
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.model is not model.model
        (row,) = other.session(1).feed_masked([[3, 4]], [mask])
        assert other.head.full_because is None
        assert row.ids.tolist() == [5, 9]
        assert row.values.tolist() == expected.values.tolist()


def test_a_failing_pass_leaves_the_model_as_it_was(model):
    """An error inside a pass undoes the detour too."""
    layer = model.model.get_output_embeddings()
    with pytest.raises(ZeroDivisionError), model.head.detour(HeadPlan([None], np.zeros(1, int))):
        raise ZeroDivisionError
    assert "forward" not in vars(layer)


def test_threads_do_not_see_each_others_detours(model):
    """Sparse and full passes side by side, each with its own logits."""
    size = len(model.vocabulary)
    expected = model.session(1).feed([[7, 8, 9]])[0]
    wrong = []

    def work(seed):
        random = np.random.default_rng(seed)
        for _ in range(20):
            ids = sorted(random.choice(size, 1 + seed, replace=False).tolist())
            mask = mask_of(ids, size) if seed % 2 else None
            (row,) = model.session(1).feed_masked([[7, 8, 9]], [mask])
            chosen = expected if row.ids is None else expected[row.ids]
            if np.abs(row.values - chosen).max() > 1e-4:
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert "forward" not in vars(model.model.get_output_embeddings())


def test_two_heads_of_one_layer_do_not_meet(model):
    """Two runtimes over one model: who leaves first does not take the other's detour away."""
    other = TransformersModel(model.model, model.tokenizer).head
    inside, leave = threading.Event(), threading.Event()

    def pass_through():
        with other.detour(HeadPlan([np.array([1])], np.zeros(1, int))):
            inside.set()
            leave.wait()

    thread = threading.Thread(target=pass_through)
    thread.start()
    inside.wait()
    assert model.head.plan([mask_of([5, 9], 40)])[0].tolist() == [5, 9]
    plan = HeadPlan([np.array([5, 9])], np.zeros(1, int))
    with model.head.detour(plan), torch.inference_mode():
        leave.set()
        thread.join()
        logits = model.model(input_ids=torch.tensor([[3]])).logits
    assert plan.calls == 1
    assert logits.shape == (1, 1, 2)
    assert "forward" not in vars(model.model.get_output_embeddings())


def test_a_layer_that_is_not_asked_is_noticed(folder, monkeypatch):
    """All logits where chosen ones were expected are not taken for those."""
    model = load_folder(folder)
    model.head.plan([mask_of([5, 9], 40)])  # the trial
    monkeypatch.setattr(model.head, "detour", lambda _: nullcontext())
    with pytest.raises(LogitsMismatch, match="0 times in one pass"):
        model.session(2).feed_masked([[3], [4]], [mask_of([5, 9], 40), None])


def test_what_changes_the_model_is_tried_again(folder):
    """A hook that comes after the trial and rewrites a logit by its place: all logits then."""
    model = load_folder(folder)
    mask = mask_of([5, 9], len(model.vocabulary))
    assert model.head.plan([mask])[0].tolist() == [5, 9]

    def ban(module, inputs, output):
        output.logits[..., 0] = -1e9

    model.model.register_forward_hook(ban)
    (row,) = model.session(1).feed_masked([[3, 4]], [mask])
    assert row.ids is None
    assert row.values[5] > -1e9


class Doubled(torch.nn.Linear):
    """A layer that is a linear one only by name."""

    def forward(self, hidden):
        return 2 * super().forward(hidden)


def replace(model):
    layer = model.model.lm_head
    model.model.lm_head = Doubled(layer.in_features, layer.out_features, bias=False)


def watch(model):
    model.model.lm_head.register_forward_hook(lambda *_: None)


def change(model):
    model.model.lm_head.forward = lambda hidden: hidden


def compile_(model):
    model.model._compiled_call_impl = model.model._call_impl


def quantise(model):
    layer = model.model.lm_head
    layer.weight = type("Quantised", (torch.nn.Parameter,), {})(layer.weight.data)


@pytest.mark.parametrize(
    ("what", "because"),
    [
        (replace, "the output layer was replaced"),
        (watch, "something watches the output layer"),
        (change, "the output layer was changed"),
        (compile_, "the model is compiled"),
        (quantise, "the output layer's weights are of type Quantised"),
    ],
)
def test_other_layers_are_asked_in_full(folder, what, because):
    """Adapters, hooks, compiled and quantised layers: all logits, and the reason."""
    model = load_folder(folder)
    what(model)
    mask = mask_of([5], len(model.vocabulary))
    assert model.head.plan([mask]) == [None]
    assert model.head.full_because == because
    assert model.head.plan([mask]) == [None]


class Places(torch.nn.Module):
    """A model whose logits depend on their place: the last one is always the highest."""

    def __init__(self, model, how):
        super().__init__()
        self.inner, self.how, self.device = model, how, model.device

    def get_output_embeddings(self):
        return self.inner.get_output_embeddings()

    def forward(self, **arguments):
        output = self.inner(**arguments)
        if self.how == "order":
            output.logits = output.logits + torch.linspace(0, 9, output.logits.shape[-1])
        elif self.how == "index":
            output.logits[..., 280] = -1e9
        elif self.how == "first":
            output.logits[..., 0] = -1e9
        elif self.how == "among":
            output.logits[..., 5] = -1e9
        elif self.how == "past":
            output.logits[..., 280:] = -1e9
        elif self.how == "shape":
            output.logits = output.logits.flatten()
        elif self.how == "twice":
            self.inner(**arguments)
        return output


@pytest.mark.parametrize(
    ("how", "because"),
    [
        ("order", r"chosen logits differ from the full ones by \d"),
        ("index", "the model takes no chosen logits: index 280 is out of bounds"),
        ("first", "chosen logits differ from the full ones by 1e.09"),
        ("among", "chosen logits differ from the full ones by 1e.09"),
        ("past", "chosen logits differ from the full ones by 1e.09"),
        ("shape", r"the model makes chosen logits of shape \(\d+,\)"),
        ("twice", "the model asks its output layer 2 times a pass"),
    ],
)
def test_what_the_trial_finds_makes_the_head_full(folder, how, because):
    """What a model does with logits is tried before it is trusted."""
    from slm.models.head import SparseHead

    model = load_folder(folder).model
    head = SparseHead(Places(model, how), model.get_output_embeddings(), 200)
    mask = mask_of([5], 200)
    assert head.plan([mask]) == [None]
    assert re.match(because, head.full_because or "")
    assert "forward" not in vars(model.get_output_embeddings())


@pytest.mark.filterwarnings("default")
def test_recurrent_models_compute_logits_they_need_only(tmp_path):
    """Forced tokens go one by one through a recurrent model, and only the last has logits."""
    model = load_folder(make_folder(tmp_path, "MambaConfig", state_size=4))
    size = len(model.vocabulary)
    layer, widths = model.model.get_output_embeddings(), []
    model.head.plan([mask_of([1], size)])  # the trial
    whole = model.head._forward

    def counting(hidden):
        logits = whole(hidden)
        widths.append(logits.numel())
        return logits

    sessions = model.session(1), model.session(1)
    for session in sessions:
        session.feed([[5, 6]])
    full = sessions[0].feed([[7, 8, 9]])[0]
    model.head._forward = counting
    (row,) = sessions[1].feed_masked([[7, 8, 9]], [mask_of([3, 4], size)])
    assert widths == [0, 0, 2]
    assert np.abs(row.values - full[[3, 4]]).max() < 1e-4
    assert "forward" not in vars(layer)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_chosen_logits_on_a_gpu_are_the_full_ones(name, tmp_path):
    """The torch path on a GPU: one row, several, and beside rows that want everything."""
    folder = make_folder(tmp_path, "LlamaConfig", **ATTENTION)
    model = load_folder(folder, device="cuda", dtype=name)
    size, step = len(model.vocabulary), {"float32": 1e-5, "bfloat16": 2**-6}[name]
    few = [mask_of(range(at, at + 5), size) for at in (0, 40, 45)]
    for masks in (few[:1], few, [few[0], None, few[1]]):
        tokens = [[5, 6], [7, 8, 9], [3]][: len(masks)]
        full = model.session(len(masks)).feed(tokens)
        rows = model.session(len(masks)).feed_masked(tokens, masks)
        assert model.head.full_because is None
        for row, expected, mask in zip(rows, full, masks, strict=True):
            assert (row.ids is None) == (mask is None)
            chosen = expected if row.ids is None else expected[row.ids]
            assert np.abs(row.values - chosen).max() <= step * np.abs(expected).max()
