"""How the learned motion is made: data, networks, distillation, export. Nothing here runs while Parley serves."""
