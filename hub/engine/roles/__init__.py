"""Roles before the engine applies them: are their rules and filters sound, and what do their lists cost?"""
