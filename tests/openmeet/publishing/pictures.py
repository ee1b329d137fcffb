"""Pictures with a secret in their EXIF data, and the blobs that the PDS returns for them."""

import io

from PIL import Image

from tests.openmeet.deployment import Deployment

EXIF_SECRET = b"48.2082N 16.3738E"


def draw_jpeg(color: str = "red", side: int = 60) -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = EXIF_SECRET.decode()
    Image.new("RGB", (side * 2, side), color).save(out, "JPEG", exif=exif)
    return out.getvalue()


async def blob_at_pds(deployment: Deployment, did: str, cid: str) -> bytes:
    from_pds = await deployment.network.http.get(
        f"{deployment.pds_url}/xrpc/com.atproto.sync.getBlob?did={did}&cid={cid}"
    )
    assert from_pds.is_ok, from_pds.body
    return from_pds.body
