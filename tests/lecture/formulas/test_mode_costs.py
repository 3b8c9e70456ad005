from cnn_train.lecture.formulas.expression import parse_expressions
from cnn_train.lecture.formulas.mode_costs import compare_modes


def test_the_slides_function_costs_two_passes_forward_and_one_back() -> None:
    graph = parse_expressions(["x1*x2+sin(x1)"])
    ours, *_ = compare_modes(graph, [2.0, 3.0])
    assert (ours.num_inputs, ours.num_outputs, ours.values) == (2, 1, 3)
    assert (ours.forward_passes, ours.forward_operations) == (2, 2 * (3 + 5))
    assert (ours.reverse_passes, ours.reverse_operations) == (1, 3 + 5)


def test_one_to_many_takes_one_pass_forward_and_one_per_output_back() -> None:
    _, one_to_many, _ = compare_modes(parse_expressions(["x"]), [1.0])
    assert (one_to_many.num_inputs, one_to_many.num_outputs) == (1, 8)
    assert (one_to_many.forward_passes, one_to_many.reverse_passes) == (1, 8)
    assert one_to_many.values == 15  # eight sines, and k·x but for k = 1
    assert one_to_many.forward_operations == one_to_many.reverse_operations == 15 + 15


def test_many_to_one_takes_one_pass_per_input_forward_and_one_back() -> None:
    _, _, many_to_one = compare_modes(parse_expressions(["x"]), [1.0])
    assert (many_to_one.num_inputs, many_to_one.num_outputs) == (8, 1)
    assert (many_to_one.forward_passes, many_to_one.reverse_passes) == (8, 1)
    assert many_to_one.values == 8 + 7  # sines and sums
    assert many_to_one.reverse_operations == 15 + (8 + 2 * 7)
    assert many_to_one.forward_operations == 8 * many_to_one.reverse_operations
