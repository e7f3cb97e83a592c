"""Engagement: everything said and done between the business and its customers."""
