"""Pictures: what somebody sent, made anew here in two sizes, and served to whoever has its address.

Nothing that was sent is ever served: a picture is decoded and encoded again, so that neither its hidden parts (where it was taken,
by whom) nor anything that only looks like a picture reaches a browser. Its address is random: who does not know it cannot guess it.
"""
