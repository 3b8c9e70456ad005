import json

from cnn_train.playground.headless import run_headless
from cnn_train.playground.settings import read_address, resolve_settings


def test_equal_settings_give_equal_documents() -> None:
    settings = resolve_settings({"dataset": "spiral", "seed": 4}, "test")
    documents = [json.dumps(run_headless(settings, 3).to_json()) for _ in range(2)]
    assert documents[0] == documents[1]


def test_the_document_says_how_to_repeat_the_run_and_how_it_went() -> None:
    settings = resolve_settings({"dataset": "gauss"}, "test")
    document = run_headless(settings, 3).to_json()
    assert read_address(document["address"], "#") == settings
    assert document["steps"] == 3 * 25
    assert document["num_parameters"] == 2 * 2 + 2 + 2 * 2 + 2
    assert [record["epoch"] for record in document["records"]] == [0, 1, 2]
    assert document["test_accuracy"] == document["records"][-1]["test_accuracy"]
    step = document["last_step"]
    assert step["weight"] == "hidden 1, neuron 1 ← x₁"
    assert abs(step["before"] - 0.1 * step["gradient"] - step["after"]) < 1e-14
