"""How good motion is: measures, the baselines they are read beside, and the material they are taken on."""
