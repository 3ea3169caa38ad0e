"""The services of a sandbox node: what `systemctl` would do there, without a systemd."""
