"""What a person sees when an app asks: sign in or up, choose an account, decide what the app may do."""
