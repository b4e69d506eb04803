"""The HTTP side: routes, middleware, pages. The only room, but for the simulator, that knows aiohttp.web."""
