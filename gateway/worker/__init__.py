"""The worker: it chains the services over each dataset, durably."""
