"""The replay of real marketplace data: `read` checks it, `shop` sets up, `drive` drives, `report` tells."""
