"""Scenes: whole stretches of conversation, acted out. What speech fixes comes from the rules, the rest is drawn from models of behaviour."""
