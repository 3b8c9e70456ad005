"""From text to a frozen, validated experiment."""
