"""Turn YAML text into a frozen, validated experiment."""
