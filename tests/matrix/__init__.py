"""The clients and agents that people use, each as it is published, against the app: `make test-clients`."""
