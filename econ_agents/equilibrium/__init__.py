"""The distance from equilibrium: NashConv by deviations, and regret."""
