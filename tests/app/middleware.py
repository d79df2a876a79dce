"""What strict projects have."""


def strict_policy(get_response):
    """No script and no style but those from files of this site."""

    def middleware(request):
        response = get_response(request)
        response['Content-Security-Policy'] = "script-src 'self'; style-src 'self'; object-src 'none'; base-uri 'none'"
        return response

    return middleware
