"""Runs jobs: leases them from the queue, follows their progress, and stops or resumes them. hub/domain/jobs has the queue."""
