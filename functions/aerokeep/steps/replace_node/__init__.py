"""The steps of the replace-node journey: a failed instance is replaced under the same private IP."""
