"""The REST gateway: it owns datasets, and its worker chains the services over them."""
